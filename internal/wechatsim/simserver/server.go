// Package simserver serves a simulated WeChat on two loopback ports: the API on one, and
// on the other its management side, for everything that no server of WeChat offers: what
// happens on a phone, the clock, outages.
package simserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/serving"
)

// loopbackAny is the default address of both sides.
const loopbackAny = "127.0.0.1:0"

// ErrNotLoopback means that the address of the management side is not a loopback
// address.
var ErrNotLoopback = errors.New("management address is not loopback")

// A Server is a simulator with its listeners.
type Server struct {
	URL           string // of the API for this machine, without a slash at the end
	Public        bool   // other machines may reach the API
	ManagementURL string // of the management side
	Sim           *wechatsim.Sim

	servers   []*http.Server
	serving   sync.WaitGroup
	stop      func() bool // detaches from Start's context
	closeOnce sync.Once
	closeErr  error
}

// Start makes a simulator and serves it as [Serve] does.
func Start(ctx context.Context, cfg wechatsim.Config) (*Server, error) {
	return Serve(ctx, wechatsim.New(cfg), cfg)
}

// Serve listens on cfg's addresses and serves sim until Close, or until ctx ends.
func Serve(ctx context.Context, sim *wechatsim.Sim, cfg wechatsim.Config) (*Server, error) {
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
	srv := &Server{
		URL:           serving.URL(api.Addr().String()),
		Public:        checkLoopback(api.Addr().String()) != nil,
		ManagementURL: serving.URL(management.Addr().String()),
		Sim:           sim,
	}
	handler := sim.API()
	if cfg.Observe != nil {
		handler = cfg.Observe(handler)
	}
	srv.serve(api, handler)
	srv.serve(management, Management(sim, srv.URL))
	srv.stop = context.AfterFunc(ctx, srv.shutdown)
	return srv, nil
}

// serve runs one side in a goroutine, which Close ends.
func (srv *Server) serve(ln net.Listener, h http.Handler) {
	hs := serving.New(h)
	srv.servers = append(srv.servers, hs)
	srv.serving.Go(func() { _ = hs.Serve(ln) })
}

// Close ends responses that a fault delays, then both servers, and waits for them. It
// may be called more than once.
func (srv *Server) Close() error {
	srv.stop()
	srv.shutdown()
	return srv.closeErr
}

// shutdown does the work of Close once; a second call waits for the first.
func (srv *Server) shutdown() {
	srv.closeOnce.Do(func() {
		srv.Sim.Close()
		srv.closeErr = serving.Shutdown(srv.servers)
		srv.serving.Wait()
	})
}

// checkLoopback refuses an address that other machines could reach: a client of the
// management side can log in as any user.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotLoopback, err)
	}
	if !serving.IsLoopback(host) {
		return fmt.Errorf("%w: %q", ErrNotLoopback, addr)
	}
	return nil
}
