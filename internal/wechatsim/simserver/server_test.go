package simserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func TestStartRefusesPublicManagement(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		srv, err := simserver.Start(t.Context(), wechatsim.Config{ManagementAddr: addr})
		if !errors.Is(err, simserver.ErrNotLoopback) {
			t.Errorf("%q: %v, want ErrNotLoopback", addr, err)
		}
		if srv != nil {
			srv.Close()
		}
	}
}

func TestStartFailsOnATakenAddress(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	taken := srv.URL[len("http://"):]
	for _, cfg := range []wechatsim.Config{{APIAddr: taken}, {ManagementAddr: taken}} {
		if second, err := simserver.Start(t.Context(), cfg); err == nil {
			second.Close()
			t.Errorf("%+v: started twice on one address", cfg)
		}
	}
}

// Not parallel: it looks at every goroutine there is.
func TestServerLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for name, end := range map[string]func(*simserver.Server, context.CancelFunc){
		"by Close":   func(srv *simserver.Server, _ context.CancelFunc) { srv.Close() },
		"by context": func(_ *simserver.Server, cancel context.CancelFunc) { cancel() },
		"twice":      func(srv *simserver.Server, cancel context.CancelFunc) { cancel(); srv.Close(); srv.Close() },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		srv, err := simserver.Start(ctx, wechatsim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		simtest.Arm(t, srv, fault.Fault{Kind: fault.Timeout})
		hung := make(chan struct{})
		go func() {
			defer close(hung)
			if resp, err := simtest.Client.Get(srv.URL + "/cgi-bin/token"); err == nil {
				resp.Body.Close()
			}
		}()
		simtest.WaitForRequest(t, srv)
		began := time.Now()
		end(srv, cancel)
		<-hung
		cancel()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: %v to end", name, took)
		}
		simtest.Client.CloseIdleConnections()
		goleak.VerifyNone(t, before)
		if resp, err := simtest.Client.Get(srv.URL); err == nil {
			resp.Body.Close()
			t.Errorf("%s: still listening", name)
		}
	}
}

func TestOwnHTTPServerCanEndHangingAnswers(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	if err := sim.Arm(fault.Fault{Kind: fault.Timeout}); err != nil {
		t.Fatal(err)
	}
	sim.Close()
	sim.Close()
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cgi-bin/token", nil))
	if w.Code != http.StatusBadGateway {
		t.Errorf("= %d, want 502", w.Code)
	}
}
