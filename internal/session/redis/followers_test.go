package redis_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

var followerCount = flag.Int("wxgate.followers", 10, "gateways of BenchmarkFollowers")

// followPace is the time between two revocations: 58 a second, as docs/scale.md assumes
// for the busiest second of ten million users.
const followPace = time.Second / 58

// BenchmarkFollowers measures many gateways that follow the revocations of one Redis;
// docs/scale.md extrapolates to a thousand.
func BenchmarkFollowers(b *testing.B) {
	server := sessiontest.StartRedis(b)
	var mu sync.Mutex
	var delays []time.Duration
	cfg := redis.Config{Addresses: []string{server.Addr}, Propagated: func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		delays = append(delays, d)
	}}
	stores := make([]*redis.Store, *followerCount)
	for i := range stores {
		stores[i] = openGateway(b, cfg)
	}
	maker := &clientUnderTest{TB: b, admin: admin(b, rueidis.ClientOption{InitAddress: cfg.Addresses, ForceSingleClient: true})}
	until := time.Now().Add(sessiontest.Access)
	received := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(delays)
	}
	sessiontest.Must(b, stores[0].RevokeKey(b.Context(), "warm", until))
	others := len(stores) - 1
	eventually(b, "the first revocation everywhere", func() bool { return received() == others })
	mu.Lock()
	delays = nil
	mu.Unlock()
	pace := time.NewTicker(followPace)
	defer pace.Stop()
	before, began := maker.serverUse(), time.Now()
	b.ResetTimer()
	for range b.N {
		<-pace.C
		id := auth.NewSessionID(time.Now(), sessiontest.Bob)
		sessiontest.Must(b, stores[0].RevokeSession(b.Context(), id, until))
	}
	eventually(b, "all revocations everywhere", func() bool { return received() == others*b.N })
	b.StopTimer()
	after, took := maker.serverUse(), time.Since(began).Seconds()
	slices.Sort(delays)
	sent := float64(others * b.N)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1e3, "ms-p50")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1e3, "ms-p99")
	b.ReportMetric((after.cpu-before.cpu)*1e6/sent, "µs-Redis/delivery")
	b.ReportMetric((after.out-before.out)/sent, "B-out/delivery")
	b.ReportMetric((after.cpu-before.cpu)/took*100, "%-of-a-core")
}

// openGateway opens Redis as a gateway does, with the machine's clock.
func openGateway(b *testing.B, cfg redis.Config) *redis.Store {
	b.Helper()
	r, err := redis.Open(b.Context(), cfg, session.Options{})
	sessiontest.Must(b, err)
	b.Cleanup(func() { sessiontest.Must(b, r.Close()) })
	store, err := r.Store(b.Context(), sessiontest.MustBox(b, sessiontest.SecretOne), time.Now)
	sessiontest.Must(b, err)
	return store
}

// serverUse is what Redis has used since its start, in seconds and bytes.
type serverUse struct{ cpu, out float64 }

func (r *clientUnderTest) serverUse() (u serverUse) {
	r.Helper()
	text, err := do(r, r.admin, "INFO", "all").ToString()
	sessiontest.Must(r, err)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var n float64
		_, _ = fmt.Sscanf(value, "%f", &n)
		switch name {
		case "used_cpu_sys", "used_cpu_user":
			u.cpu += n
		case "total_net_output_bytes":
			u.out = n
		}
	}
	return u
}
