package redis_test

import (
	"net"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// tripCounter forwards connections to a server and counts the round trips on them: each request
// after a response. Commands that are sent together count once.
type tripCounter struct {
	listener net.Listener
	server   string
	serving  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	trips int
}

func newTripCounter(t *testing.T, server string) *tripCounter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	sessiontest.Must(t, err)
	p := &tripCounter{listener: listener, server: server}
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for _, conn := range p.conns {
			_ = conn.Close()
		}
		p.mu.Unlock()
		p.serving.Wait()
	})
	return p
}

func (p *tripCounter) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			return
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		responded := true // guarded by p.mu
		p.serving.Go(func() {
			p.pass(client, server, func() {
				if responded {
					p.trips++
				}
				responded = false
			})
		})
		p.serving.Go(func() { p.pass(server, client, func() { responded = true }) })
	}
}

// pass copies data until either side closes, and calls note before each piece.
func (p *tripCounter) pass(from, to net.Conn, note func()) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		note()
		p.mu.Unlock()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// fewest runs an operation several times and returns the fewest round trips of one run: the
// followers add some of their own.
func (p *tripCounter) fewest(operate func()) int {
	fewest := 1 << 10
	for range 20 {
		p.mu.Lock()
		before := p.trips
		p.mu.Unlock()
		operate()
		p.mu.Lock()
		fewest = min(fewest, p.trips-before)
		p.mu.Unlock()
	}
	return fewest
}

// TestRoundTrips counts the round trips that docs/scale.md states: in a network, they take most
// of the time of an operation.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	addr, database := sessiontest.SharedRedis(t)
	wire := newTripCounter(t, addr)
	r, _ := openWith(t, c, redis.Config{Addresses: []string{wire.listener.Addr().String()}, Database: database})
	store := storeOn(t, r, c)
	user := newUser()
	s := sessiontest.NewSession(user, c)
	current := auth.NewRefreshToken(s.ID)
	s.Refresh = auth.StartRefresh(current)
	sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k"}, auth.SessionLimit{})))
	for name, op := range map[string]struct {
		want int
		do   func()
	}{
		"login of a new user":   {2, func() { sessiontest.Begin(t, store, newUser(), c, "k") }},
		"login of a user":       {2, func() { sessiontest.Begin(t, store, user, c, "k") }},
		"session keys":          {1, func() { sessiontest.KeysOf(t, store, user) }},
		"authenticated request": {0, func() { store.Set.Revoked(sessiontest.Bearer(s)) }},
		"refresh": {2, func() {
			sessiontest.Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
				next, err := s.Refresh.Rotate(current, auth.NewRefreshToken(s.ID), c.Now(), auth.RefreshGrace)
				current = next
				return auth.Save, err
			}))
		}},
	} {
		if got := wire.fewest(op.do); got != op.want {
			t.Errorf("%s: %d round trips, want %d", name, got, op.want)
		}
	}
}
