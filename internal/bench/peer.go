package bench

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/process"
)

// peer is a server of --peer, which runs.
type peer struct{ name, address string }

// addPeers adds the servers of --peer. Their processes are known if they run on this
// machine, and this user may see them.
func (w *workbench) addPeers(ctx context.Context) error {
	for _, p := range w.cfg.peers {
		s := &server{name: p.name, address: p.address}
		s.callers = w.callers(s, mayGuard)
		if err := w.tryPeer(ctx, s); err != nil {
			return err
		}
		_, text, err := net.SplitHostPort(p.address)
		if err != nil {
			return fmt.Errorf("peer %s: %w", p.name, err)
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("peer %s: %w", p.name, err)
		}
		if s.pids, err = process.Listening(port); err != nil {
			return fmt.Errorf("peer %s: %w", p.name, err)
		}
		w.servers = append(w.servers, s)
	}
	return nil
}

// tryPeer sends one request to a peer.
func (w *workbench) tryPeer(ctx context.Context, s *server) error {
	if err := load.Once(ctx, s.address, s.callers[0]); err != nil {
		return fmt.Errorf("peer %s does not serve: %w; start it, and let it proxy to the upstream, which is at %s (--upstream chooses the address)",
			s.name, err, w.upstream.address)
	}
	return nil
}
