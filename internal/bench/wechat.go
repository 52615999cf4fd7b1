package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// weChat is the simulator. It records how long each exchange of a code takes, which is not the
// gateway's time.
type weChat struct {
	url    string
	sim    *wechatsim.Sim
	server *http.Server
	served chan struct{}

	mu   sync.Mutex
	took []time.Duration
}

const headerTimeout = 10 * time.Second

func startWeChat(ctx context.Context) (*weChat, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", loopback(0))
	if err != nil {
		return nil, fmt.Errorf("starting the WeChat simulator: %w", err)
	}
	w := &weChat{url: "http://" + listener.Addr().String(), sim: wechatsim.New(wechatsim.Config{}), served: make(chan struct{})}
	w.server = &http.Server{Handler: w.timed(w.sim.API()), ReadHeaderTimeout: headerTimeout}
	go func() {
		defer close(w.served)
		_ = w.server.Serve(listener) // ends with ErrServerClosed
	}()
	return w, nil
}

func (w *weChat) timed(api http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		began := time.Now()
		api.ServeHTTP(out, r)
		took := time.Since(began)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.took = append(w.took, took)
	})
}

// drain returns the sorted times since the last call, and deletes the requests recorded by the
// simulator.
func (w *weChat) drain() []time.Duration {
	w.sim.ClearRequests()
	w.mu.Lock()
	defer w.mu.Unlock()
	took := w.took
	w.took = nil
	slices.Sort(took)
	return took
}

func (w *weChat) stop() error {
	w.sim.Close()
	err := w.server.Close()
	<-w.served
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stopping the WeChat simulator: %w", err)
	}
	return nil
}
