package session_test

import (
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// filled returns a set like that of a gateway after an hour of many logouts.
func filled(c *sessiontest.Clock) *session.Set {
	set := session.NewSet()
	for range 20_000 {
		set.Add(auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Bob), Until: c.Now().Add(time.Hour)})
	}
	return set
}

func revokedCases(c *sessiontest.Clock) map[string]func() (*session.Set, *auth.Identity) {
	return map[string]func() (*session.Set, *auth.Identity){
		"empty": func() (*session.Set, *auth.Identity) { return session.NewSet(), identity(c, sessiontest.Alice) },
		"miss":  func() (*session.Set, *auth.Identity) { return filled(c), identity(c, sessiontest.Alice) },
		"user": func() (*session.Set, *auth.Identity) {
			set := filled(c)
			set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now().Add(-time.Hour), Until: c.Now().Add(time.Hour)})
			return set, identity(c, sessiontest.Alice)
		},
	}
}

func TestRevokedDoesNotAllocate(t *testing.T) {
	for name, prepare := range revokedCases(sessiontest.NewClock()) {
		set, id := prepare()
		if n := testing.AllocsPerRun(100, func() { set.Revoked(id) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRevoked(b *testing.B) {
	for name, prepare := range revokedCases(sessiontest.NewClock()) {
		b.Run(name, func(b *testing.B) {
			set, id := prepare()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if set.Revoked(id) {
						b.Error("revoked")
					}
				}
			})
		})
	}
}

// BenchmarkRevokedErased measures a request while the tokens of an erased user are valid: the
// case "miss" plus one keyed hash.
func BenchmarkRevokedErased(b *testing.B) {
	c := sessiontest.NewClock()
	set, id := filled(c), identity(c, sessiontest.Alice)
	erased := auth.NewErasedUser(make([]byte, 32), sessiontest.Bob)
	set.Add(auth.Revocation{Erased: erased, NotAfter: c.Now(), Until: c.Now().Add(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		if set.Revoked(id) {
			b.Error("revoked")
		}
	}
}

var revocations = flag.Int("wxgate.revocations", 100_000, "revocations in the set of TestRevocationsAreSmall")

// TestRevocationsAreSmall bounds the memory of a revocation: docs/scale.md sizes machines
// with it. A map that has just grown is half empty, and then takes 57 bytes an entry.
func TestRevocationsAreSmall(t *testing.T) {
	c := sessiontest.NewClock()
	until := c.Now().Add(time.Hour)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	set := session.NewSet()
	for range *revocations {
		set.Add(auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Bob), Until: until})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / float64(set.Len())
	if each > 64 {
		t.Errorf("a revocation takes %.0f bytes", each)
	}
	t.Logf("%d revocations of %.0f bytes", set.Len(), each)
}
