package wechat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/platform"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// The directions of a toxic: request and response.
const (
	upstream   = "upstream"
	downstream = "downstream"
)

// A toxic is a fault that toxiproxy adds to a connection.
type toxic struct {
	Type       string     `json:"type"`
	Stream     string     `json:"stream"`
	Attributes attributes `json:"attributes"`
}

type attributes map[string]int

const componentID = "wxcomponent"

// toxicNet is a client with the transport of New, the simulator, and a network between them
// that works until poison is called.
type toxicNet struct {
	*faulted

	kind   wechat.Kind
	server *httptest.Server
	proxy  *toxiproxy.Proxy
	keys   *apisecurity.Security // nil if no call is encrypted
	call   platform.CallName     // the call under test,
	made   atomic.Int32          // and the number of times it was made
}

// newToxicNet returns a network without faults. Unless kept is set, the next call opens a new
// connection.
func newToxicNet(t *testing.T, kept, component bool) *toxicNet {
	t.Helper()
	sim := wechatsim.New(wechatsim.Config{Components: []wechatsim.Component{{ID: componentID}}})
	t.Cleanup(sim.Close)
	n := &toxicNet{faulted: &faulted{t: t, sim: sim}, server: httptest.NewUnstartedServer(sim.API())}
	n.server.Config.SetKeepAlivesEnabled(kept)
	n.server.Start()
	t.Cleanup(n.server.Close)
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n.proxy = toxiproxy.NewProxy(api, t.Name(), "127.0.0.1:0", n.server.Listener.Addr().String())
	if err := n.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.proxy.Stop)
	n.client = n.newClient("http://"+n.proxy.Listen, component)
	return n
}

// newClient returns a client of the API at url. A component's token is fetched over a separate
// network without faults.
func (n *toxicNet) newClient(url string, component bool) *wechat.Client {
	n.t.Helper()
	cfg := wechat.Config{
		AppID: auth.AppID(wechatsim.DefaultApp.ID), Secret: wechatsim.DefaultApp.Secret, API: url, CheckPhone: n.kind == "", Security: n.keys,
		Observe: func(_ context.Context, c wechat.Call) {
			if c.Sent && c.Name == n.call {
				n.made.Add(1)
			}
		},
	}
	cfg.Risk = riskOn(wechat.WeChat, n.kind)
	if n.web {
		cfg.AppID, cfg.Secret, cfg.Kind = auth.AppID(n.app), wechatsim.WebApps()[0].Secret, n.kind
	}
	if component {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			token, err := n.sim.ComponentToken(componentID)
			if err != nil {
				n.t.Error(err)
			}
			_ = json.NewEncoder(w).Encode(token)
		}))
		n.t.Cleanup(service.Close)
		cfg.Secret, cfg.Risk, cfg.Component = "", nil, &wechat.Component{AppID: componentID, TokenURL: service.URL}
	}
	client, err := wechat.New(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(client.Close)
	return client
}

// prepare logs a user in and, for calls that need one, fetches a token, while the network
// works.
func (n *toxicNet) prepare(call toxicCall) {
	n.t.Helper()
	who, err := n.client.Exchange(n.t.Context(), n.code())
	if err != nil {
		n.t.Fatal(err)
	}
	n.key = auth.SessionKey{Key: who.SessionKey}
	if call.name != platform.CallToken && !call.component {
		if _, err := n.client.AccessTokens().Token(n.t.Context()); err != nil {
			n.t.Fatal(err)
		}
	}
	n.sim.ClearRequests()
	n.call = call.name
}

// poison adds the faults to the network, including its open connections.
func (n *toxicNet) poison(toxics []toxic) {
	n.t.Helper()
	// From here on, only the network closes connections.
	n.server.Config.SetKeepAlivesEnabled(true)
	for _, spec := range toxics {
		if spec.Attributes["bytes"] == intoBody {
			spec.Attributes = attributes{"bytes": n.headerBytes() - intoBody}
		}
		raw, err := json.Marshal(spec)
		if err != nil {
			n.t.Fatal(err)
		}
		if _, err := n.proxy.Toxics.AddToxicJson(bytes.NewReader(raw)); err != nil {
			n.t.Fatal(err)
		}
	}
}

// headerBytes returns the length of the headers of WeChat's responses. It may differ by a digit
// of Content-Length.
func (n *toxicNet) headerBytes() (length int) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.server.Listener.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /wxa/nothing HTTP/1.1\r\nHost: wechat\r\n\r\n"); err != nil {
		n.t.Fatal(err)
	}
	for reader := bufio.NewReader(conn); ; {
		line, err := reader.ReadString('\n')
		if err != nil {
			n.t.Fatal(err)
		}
		length += len(line)
		if strings.TrimSpace(line) == "" {
			return length
		}
	}
}

func (n *toxicNet) login() error {
	_, err := n.client.Exchange(n.t.Context(), n.code())
	return err
}

// useOfficial replaces the client with a client of a service account.
func (n *toxicNet) useOfficial() {
	n.t.Helper()
	n.web, n.app, n.kind = true, wechatsim.WebApps()[0].ID, wechat.Official
	n.client = n.newClient("http://"+n.proxy.Listen, false)
}

// secure makes the simulator require encrypted calls, and the client encrypt them.
func (n *toxicNet) secure() {
	n.t.Helper()
	shown, err := n.sim.Secure(wechatsim.DefaultApp.ID, securedKeys(n.t))
	if err != nil {
		n.t.Fatal(err)
	}
	n.keys = securityFrom(n.t, shown)
	n.client = n.newClient("http://"+n.proxy.Listen, false)
}

func (n *toxicNet) openapi(ctx context.Context) error {
	return n.forward(ctx, wechat.Outgoing{Method: http.MethodGet, Path: checkPath})
}

func (n *toxicNet) forward(ctx context.Context, out wechat.Outgoing) error {
	resp, err := n.client.Forward(ctx, out)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	return nil
}
