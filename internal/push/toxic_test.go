package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// TestToxicNetwork: with any fault of the network, an attempt ends in time, and the message is
// delivered when the network works again.
func TestToxicNetwork(t *testing.T) {
	t.Parallel()
	type attributes map[string]int
	for name, toxic := range map[string]struct {
		Type       string     `json:"type"`
		Stream     string     `json:"stream"`
		Attributes attributes `json:"attributes"`
	}{
		"a request that is reset":      {"reset_peer", "upstream", attributes{"timeout": 0}},
		"a request that is truncated":  {"limit_data", "upstream", attributes{"bytes": 100}},
		"a request that is swallowed":  {"timeout", "upstream", attributes{"timeout": 0}},
		"a response that is reset":     {"reset_peer", "downstream", attributes{"timeout": 0}},
		"a response that is truncated": {"limit_data", "downstream", attributes{"bytes": 10}},
		"a response that is delayed":   {"timeout", "downstream", attributes{"timeout": 0}},
		"a slow response":              {"slicer", "downstream", attributes{"average_size": 1, "delay": 200_000}}, // µs per byte
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var accepted atomic.Int32
			service := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { accepted.Add(1) }))
			service.Config.SetKeepAlivesEnabled(false)
			service.Start()
			defer service.Close()
			proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), t.Name(), "127.0.0.1:0", service.Listener.Addr().String())
			if err := proxy.Start(); err != nil {
				t.Fatal(err)
			}
			defer proxy.Stop()
			s := push.NewService("http://"+proxy.Listen+"/push", tokentest.New(t, nil).Tokens, nil)
			defer s.Close()
			m := queue.Message{ID: "ID1", Payload: payload(t, text("o1", "1"))}
			send := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				return s.Send(ctx, m)
			}
			spoil, err := json.Marshal(toxic)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := proxy.Toxics.AddToxicJson(bytes.NewReader(spoil)); err != nil {
				t.Fatal(err)
			}
			if err := send(); err == nil {
				t.Error("delivered, although the network does not work")
			}
			proxy.Toxics.ResetToxics(t.Context())
			before := accepted.Load()
			if err := send(); err != nil || accepted.Load() != before+1 {
				t.Errorf("over a working network: %v, accepted %d times", err, accepted.Load()-before)
			}
		})
	}
}
