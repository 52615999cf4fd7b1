package redis_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// The benchmarks measure the figures of docs/scale.md. Redis itself counts them.

// newUser returns a user that has never logged in, with an openid as long as WeChat's.
func newUser() auth.User {
	return auth.User{App: "wx4f4bc4dec97d474b", OpenID: auth.OpenID("o" + rand.Text() + "x")}
}

// benchServer starts a redis-server for one benchmark, so that its counters belong to that
// benchmark.
func benchServer(b *testing.B) (*clientUnderTest, sessiontest.Store, *sessiontest.Clock) {
	b.Helper()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(b)
	r, _ := openWith(b, c, redis.Config{Addresses: []string{server.Addr}})
	store := storeOn(b, r, c)
	sessiontest.Begin(b, store, newUser(), c, "warm") // loads the script, seals the store's key
	return r, store, c
}

// traffic is what the store's commands cost Redis, without the commands that the scripts run
// or that the followers send.
type traffic struct{ commands, micros, in, out float64 }

func (r *clientUnderTest) traffic() traffic {
	r.Helper()
	text, err := do(r, r.admin, "INFO", "all").ToString()
	sessiontest.Must(r, err)
	var t traffic
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var n, micros float64
		switch name {
		case "cmdstat_get", "cmdstat_hgetall", "cmdstat_evalsha":
			_, _ = fmt.Sscanf(value, "calls=%f,usec=%f", &n, &micros)
			t.commands += n
			t.micros += micros
		case "total_net_input_bytes":
			_, _ = fmt.Sscanf(value, "%f", &t.in)
		case "total_net_output_bytes":
			_, _ = fmt.Sscanf(value, "%f", &t.out)
		}
	}
	return t
}

// cost runs an operation and reports what it cost Redis.
func cost(b *testing.B, r *clientUnderTest, operate func()) {
	b.Helper()
	before := r.traffic()
	for b.Loop() {
		operate()
	}
	after, n := r.traffic(), float64(b.N)
	b.ReportMetric((after.commands-before.commands)/n, "commands/op")
	b.ReportMetric((after.micros-before.micros)/n, "µs-Redis/op")
	b.ReportMetric((after.in-before.in)/n, "B-in/op")
	b.ReportMetric((after.out-before.out)/n, "B-out/op")
}

func BenchmarkRedis(b *testing.B) {
	operations := map[string]func(b *testing.B, store sessiontest.Store, c *sessiontest.Clock) func(){
		"login": func(b *testing.B, store sessiontest.Store, c *sessiontest.Clock) func() {
			return func() { sessiontest.Begin(b, store, newUser(), c, "tiihtNczf5v6AKRyjwEUhQ==") }
		},
		"refresh": func(b *testing.B, store sessiontest.Store, c *sessiontest.Clock) func() {
			s := sessiontest.NewSession(newUser(), c)
			current := auth.NewRefreshToken(s.ID)
			s.Refresh = auth.StartRefresh(current)
			sessiontest.Must(b, sessiontest.ErrOf(store.Create(b.Context(), s, auth.SessionKey{}, auth.SessionLimit{})))
			return func() {
				sessiontest.Must(b, store.Update(b.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
					next, err := s.Refresh.Rotate(current, auth.NewRefreshToken(s.ID), c.Now(), auth.RefreshGrace)
					current = next
					return auth.Save, err
				}))
			}
		},
		"login and logout": func(b *testing.B, store sessiontest.Store, c *sessiontest.Clock) func() {
			return func() {
				sessiontest.End(b, store, sessiontest.Begin(b, store, newUser(), c, "tiihtNczf5v6AKRyjwEUhQ==").ID)
			}
		},
		"authenticated request": func(b *testing.B, store sessiontest.Store, c *sessiontest.Clock) func() {
			id := sessiontest.Bearer(sessiontest.Begin(b, store, newUser(), c, "k"))
			return func() {
				if store.Set.Revoked(id) {
					b.Fatal("revoked")
				}
			}
		},
	}
	for name, prepare := range operations {
		b.Run(name, func(b *testing.B) {
			r, store, c := benchServer(b)
			cost(b, r, prepare(b, store, c))
		})
	}
}

// BenchmarkRedisMemory measures the memory that Redis uses for live sessions and a gateway
// uses for revocations, per 100,000 of either.
func BenchmarkRedisMemory(b *testing.B) {
	const each = 100_000
	b.Run("sessions in Redis", func(b *testing.B) {
		r, store, c := benchServer(b)
		b.ResetTimer()
		before := r.usedMemory()
		for range b.N {
			fill(each, func() { sessiontest.Begin(b, store, newUser(), c, "tiihtNczf5v6AKRyjwEUhQ==") })
		}
		b.ReportMetric(float64(r.usedMemory()-before)/float64(b.N)/(1<<20), "MiB/100k")
	})
	b.Run("revocations in Redis", func(b *testing.B) {
		r, store, c := benchServer(b)
		b.ResetTimer()
		before := r.usedMemory()
		for range b.N {
			fill(each, func() { sessiontest.End(b, store, sessiontest.Begin(b, store, newUser(), c, "k").ID) })
		}
		b.ReportMetric(float64(r.usedMemory()-before)/float64(b.N)/(1<<20), "MiB/100k")
	})
	b.Run("revocations in a gateway", func(b *testing.B) {
		c := sessiontest.NewClock()
		set := session.NewSet()
		before := heap()
		for range b.N {
			for range each {
				set.Add(auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Bob), Until: c.Now().Add(time.Hour)})
			}
		}
		b.ReportMetric(float64(heap()-before)/float64(b.N)/(1<<20), "MiB/100k")
		runtime.KeepAlive(set)
	})
}

// fill calls do n times, some calls at once.
func fill(n int, do func()) {
	const workers = 16
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range n / workers {
				do()
			}
		})
	}
	wg.Wait()
}

func (r *clientUnderTest) usedMemory() int64 {
	r.Helper()
	text, err := do(r, r.admin, "INFO", "memory").ToString()
	sessiontest.Must(r, err)
	for line := range strings.Lines(text) {
		var n int64
		if _, err := fmt.Sscanf(line, "used_memory:%d", &n); err == nil {
			return n
		}
	}
	r.Fatal("Redis does not report its memory")
	return 0
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
