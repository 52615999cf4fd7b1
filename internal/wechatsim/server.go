package wechatsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// loopbackAny is where both sides listen unless told otherwise.
	loopbackAny = "127.0.0.1:0"

	// headerTimeout ends a connection that never says what it wants.
	headerTimeout = 10 * time.Second

	// closeGrace is how long Close waits for answers under way.
	closeGrace = time.Second
)

// ErrNotLoopback means that the management side was to listen where others
// than this machine could reach it.
var ErrNotLoopback = errors.New("management address is not loopback")

// A Server is a simulator that listens.
type Server struct {
	URL           string // of the API, without a slash at the end
	ManagementURL string // of the management side
	Sim           *Sim

	servers   []*http.Server
	serving   sync.WaitGroup
	stop      func() bool // detaches from Start's context
	closeOnce sync.Once
	closeErr  error
}

// Start listens on cfg's addresses and serves until Close, or until ctx ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.APIAddr == "" {
		cfg.APIAddr = loopbackAny
	}
	if cfg.ManagementAddr == "" {
		cfg.ManagementAddr = loopbackAny
	}
	if err := checkLoopback(cfg.ManagementAddr); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	api, err := lc.Listen(ctx, "tcp", cfg.APIAddr)
	if err != nil {
		return nil, fmt.Errorf("listening for the API: %w", err)
	}
	management, err := lc.Listen(ctx, "tcp", cfg.ManagementAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for management: %w", err), api.Close())
	}
	sim := New(cfg)
	srv := &Server{
		URL:           "http://" + api.Addr().String(),
		ManagementURL: "http://" + management.Addr().String(),
		Sim:           sim,
	}
	srv.serve(api, sim.API())
	srv.serve(management, sim.Management())
	srv.stop = context.AfterFunc(ctx, srv.shutdown)
	return srv, nil
}

// serve runs one side in a goroutine of its own, which Close ends.
func (srv *Server) serve(ln net.Listener, h http.Handler) {
	hs := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout}
	srv.servers = append(srv.servers, hs)
	srv.serving.Go(func() { _ = hs.Serve(ln) })
}

// Close ends hanging answers, then both servers, and waits for them. It may be
// called more than once.
func (srv *Server) Close() error {
	srv.stop()
	srv.shutdown()
	return srv.closeErr
}

// shutdown does Close's work once; whoever comes second waits for the first.
func (srv *Server) shutdown() {
	srv.closeOnce.Do(func() {
		srv.Sim.Close()
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		for _, hs := range srv.servers {
			if hs.Shutdown(ctx) != nil { // a client that keeps its connection busy
				srv.closeErr = errors.Join(srv.closeErr, hs.Close())
			}
		}
		srv.serving.Wait()
	})
}

// checkLoopback refuses an address that others could reach: who reaches the
// management side is every user at once.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotLoopback, err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("%w: %q", ErrNotLoopback, addr)
	}
	return nil
}

// isLoopback says whether host is this machine's own.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
