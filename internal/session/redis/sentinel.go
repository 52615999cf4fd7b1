package redis

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

// sentinelGrace is how much longer than the first the other Sentinels have to
// answer.
const sentinelGrace = 100 * time.Millisecond

// sentinels find the master of one set, each time that a connection to it is made
// and when the follower looks. rueidis has a client for Sentinel; while a master
// is down it asks the Sentinels hundreds of times a second, with more goroutines
// each time, and a thousand gateways that do so keep them from electing another.
type sentinels struct {
	cfg  Config
	each []*sentinel

	conns *masterConns

	asking sync.WaitGroup
}

// sentinel is one of them, and the connection to it; nil when there is none.
type sentinel struct {
	addr string

	mu     sync.Mutex
	client rueidis.Client
}

func newSentinels(cfg Config, conns *masterConns) *sentinels {
	s := &sentinels{cfg: cfg, conns: conns}
	for _, addr := range cfg.Addresses {
		s.each = append(s.each, &sentinel{addr: addr})
	}
	return s
}

// dial is rueidis's DialCtxFn.
func (s *sentinels) dial(ctx context.Context, _ string, dialer *net.Dialer, tlsConfig *tls.Config) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	return s.conns.dial(ctx, addr, dialer, tlsConfig)
}

// follow hangs up on a server that is no longer the master by what the Sentinels
// say; moved is whether there was one. Nobody else may: it may be cut off from
// them, and from all who would tell it.
func (s *sentinels) follow(ctx context.Context) (moved bool, err error) {
	addr, err := s.find(ctx)
	if err != nil {
		return false, err
	}
	return s.conns.hangUp(addr), nil
}

// answer is what one Sentinel says.
type answer struct {
	addr  string
	epoch int64 // of the configuration that it goes by
	err   error
}

// find asks all Sentinels at once; of several answers the latest configuration
// counts. One that does not answer is not waited for long once another did.
func (s *sentinels) find(ctx context.Context) (addr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	answers := make(chan answer, len(s.each)) // buffered: no sender waits
	for _, one := range s.each {
		s.asking.Go(func() { answers <- one.ask(ctx, s.cfg) })
	}
	best := answer{epoch: -1}
	var errs []error
	for range s.each {
		select {
		case a := <-answers:
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
		return "", fmt.Errorf("asking the Sentinels for the master %s: %w", s.cfg.Sentinel, errors.Join(errs...))
	}
	return best.addr, nil
}

func (s *sentinel) ask(ctx context.Context, cfg Config) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		option := clientOption(cfg)
		option.InitAddress = []string{s.addr}
		option.Username, option.Password, option.SelectDB = cfg.SentinelUsername, cfg.SentinelPassword, 0
		option.ForceSingleClient = true
		client, err := newClient(cfg, option)
		if err != nil {
			return answer{err: err}
		}
		s.client = client
	}
	set, err := s.client.Do(ctx, s.client.B().Arbitrary("SENTINEL", "MASTER", cfg.Sentinel).Build()).AsStrMap()
	if err != nil {
		return answer{err: err}
	}
	epoch, err := strconv.ParseInt(set["config-epoch"], 10, 64)
	if err != nil || set["ip"] == "" {
		return answer{err: fmt.Errorf("%w: the Sentinel at %s did not return the master's address", errNoMaster, s.addr)}
	}
	return answer{addr: net.JoinHostPort(set["ip"], set["port"]), epoch: epoch}
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
