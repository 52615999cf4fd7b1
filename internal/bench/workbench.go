package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/bench/process"
	"github.com/wxgate/wxgate/internal/bench/seed"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// workbench has the measured servers and all that they need.
type workbench struct {
	cfg *Config
	dir string // of all files

	keys     *seed.Keys
	tokens   []seed.Token
	weChat   *weChat
	upstream *server
	servers  []*server
}

// open starts the services that every scenario needs, and prepares the servers.
// [workbench.close] must be called, also after an error.
func (w *workbench) open(ctx context.Context) error {
	var err error
	if w.dir, err = os.MkdirTemp(w.cfg.Dir, "wxgate-bench-"); err != nil {
		return fmt.Errorf("creating a temporary directory: %w", err)
	}
	if w.weChat, err = startWeChat(ctx); err != nil {
		return err
	}
	if err := w.startUpstream(ctx); err != nil {
		return err
	}
	if w.keys, err = seed.New(ctx, auth.AppID(wechatsim.DefaultApp.ID)); err != nil {
		return err
	}
	w.cfg.Progress(0, 0, "issuing tokens")
	if w.tokens, err = w.keys.Tokens(max(w.cfg.Tokens, fewTokens)); err != nil {
		return err
	}
	for _, name := range w.cfg.targets[:len(w.cfg.targets)-len(w.cfg.peers)] {
		s, err := w.prepare(ctx, name)
		if err != nil {
			return err
		}
		w.servers = append(w.servers, s)
	}
	return w.addPeers(ctx)
}

// prepare writes the files that a server needs before it starts.
func (w *workbench) prepare(ctx context.Context, name string) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	g := alwaysGuards
	if name == bare || name == stock {
		g = neverGuards
	}
	config := site{Guarded: g == alwaysGuards, Standard: name == standard, Stock: name == stock, Port: port, Upstream: w.upstream.address}
	render := config.caddyfile
	if name == shipped {
		render = exampleCaddyfile
	}
	caddyfile, err := render()
	if err != nil {
		return nil, err
	}
	s, err := w.newGateway(name, caddyfile, port)
	if err != nil {
		return nil, err
	}
	if g == alwaysGuards {
		s.ready = readyPath
		err = w.keys.Write(w.home(name))
	}
	if err == nil && name == populous {
		err = w.fill(ctx)
	}
	s.callers = w.callers(s, g)
	return s, err
}

// fill writes the sessions and revocations.
func (w *workbench) fill(ctx context.Context) error {
	all := w.cfg.Sessions + w.cfg.Revocations
	report := func(written int) {
		w.cfg.Progress(0, 0, fmt.Sprintf("%d of %d sessions and revocations written", written, all))
	}
	report(0)
	return w.keys.Fill(ctx, w.home(populous), w.cfg.Sessions, w.cfg.Revocations, report)
}

// startUpstream starts the upstream as a process, so that its CPU time is known.
func (w *workbench) startUpstream(ctx context.Context) error {
	address, err := w.upstreamAddress(ctx)
	if err != nil {
		return err
	}
	w.upstream = &server{name: "upstream", address: address, ready: "/", start: &process.Command{
		Name: "upstream", Path: w.cfg.Executable, Args: w.cfg.Self(address),
	}}
	_, err = w.upstream.run(ctx)
	return err
}

// upstreamAddress returns the address of --upstream, or by default an address with a free port.
// It returns an error if another process uses the port.
func (w *workbench) upstreamAddress(ctx context.Context) (string, error) {
	address := w.cfg.Upstream
	if address == "" {
		port, err := freePort(ctx)
		return loopback(port), err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("%w: --upstream: %w; stop the other process, or choose another address", ErrUsage, err)
	}
	return address, listener.Close()
}

// close stops everything and deletes the files.
func (w *workbench) close() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.stop())
	}
	if w.upstream != nil {
		errs = append(errs, w.upstream.stop())
	}
	if w.weChat != nil {
		errs = append(errs, w.weChat.stop())
	}
	if w.keys != nil {
		w.keys.Close()
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}
