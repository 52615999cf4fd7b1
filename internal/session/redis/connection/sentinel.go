package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// sentinelGrace is how long the other Sentinels may take after the first responded.
const sentinelGrace = 100 * time.Millisecond

// sentinels find the master, for every new connection and when the follower checks it.
// rueidis has a client for Sentinel. While a master is down, that client calls the
// Sentinels hundreds of times a second, with more and more goroutines; a thousand gateways
// that do so keep the Sentinels from electing another master. By default it learns of a
// failover only from one message, which it may miss
// (https://github.com/redis/rueidis/pull/1016).
type sentinels struct {
	settings *Settings
	each     []*sentinel
	masters  *masterConns

	asking sync.WaitGroup
}

// sentinel is one Sentinel, with the connection to it, if any.
type sentinel struct {
	addr string

	mu     sync.Mutex
	client rueidis.Client
}

func newSentinels(settings *Settings, masters *masterConns) *sentinels {
	s := &sentinels{settings: settings, masters: masters}
	for _, addr := range settings.Addresses {
		s.each = append(s.each, &sentinel{addr: addr})
	}
	return s
}

// dial is the DialCtxFn of rueidis.
func (s *sentinels) dial(ctx context.Context, _ string, dialer *net.Dialer, tlsConfig *tls.Config) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	return s.masters.dial(ctx, addr, dialer, tlsConfig)
}

// follow closes the connections to a server that is no longer the master according to the
// Sentinels; moved reports whether there were any. The server itself may not know that: it may
// be disconnected from the Sentinels and from the new master.
func (s *sentinels) follow(ctx context.Context) (moved bool, err error) {
	addr, err := s.find(ctx)
	if err != nil {
		return false, err
	}
	return s.masters.closeAllBut(addr), nil
}

// located is the response of one Sentinel.
type located struct {
	addr  string
	epoch int64 // of the configuration that the Sentinel has
	err   error
}

// find calls all Sentinels at once and returns the address with the latest configuration.
// After the first response it does not wait long for the others.
func (s *sentinels) find(ctx context.Context) (addr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found := make(chan located, len(s.each)) // buffered: senders do not wait
	for _, one := range s.each {
		s.asking.Go(func() { found <- one.ask(ctx, s.settings) })
	}
	best := located{epoch: -1}
	var errs []error
	for range s.each {
		select {
		case a := <-found:
			if a.err != nil {
				errs = append(errs, a.err)
			} else if a.epoch > best.epoch {
				best = a
				time.AfterFunc(sentinelGrace, cancel)
			}
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
		}
	}
	if best.addr == "" {
		return "", fmt.Errorf("asking the Sentinels for the master %s: %w", s.settings.Sentinel, errors.Join(errs...))
	}
	return best.addr, nil
}

func (s *sentinel) ask(ctx context.Context, settings *Settings) located {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		option := settings.clientOption()
		option.InitAddress = []string{s.addr}
		option.Username, option.Password, option.SelectDB = settings.SentinelUsername, settings.SentinelPassword, 0
		option.ForceSingleClient = true
		client, err := newClient(settings, option)
		if err != nil {
			return located{err: err}
		}
		s.client = client
	}
	set, err := s.client.Do(ctx, s.client.B().Arbitrary("SENTINEL", "MASTER", settings.Sentinel).Build()).AsStrMap()
	if err != nil {
		return located{err: err}
	}
	epoch, err := strconv.ParseInt(set["config-epoch"], 10, 64)
	if err != nil || set["ip"] == "" {
		return located{err: fmt.Errorf("%w: the Sentinel at %s did not return the master's address", errNoMaster, s.addr)}
	}
	return located{addr: net.JoinHostPort(set["ip"], set["port"]), epoch: epoch}
}

var errNoMaster = errors.New("no master")

func (s *sentinels) close() {
	s.asking.Wait()
	for _, one := range s.each {
		one.mu.Lock()
		if one.client != nil {
			one.client.Close()
			one.client = nil
		}
		one.mu.Unlock()
	}
}
