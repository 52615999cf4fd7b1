package bolt_test

import (
	"crypto/rand"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// BenchmarkCreate measures the write of a login, alone and a hundred at once, which share an
// fsync.
func BenchmarkCreate(b *testing.B) {
	for name, parallel := range map[string]int{"alone": 0, "100 at once": 50} {
		b.Run(name, func(b *testing.B) {
			c := sessiontest.NewClock()
			store := openStore(b, c)
			create := func() {
				s := sessiontest.NewSession(auth.User{App: "wx1", OpenID: auth.OpenID(rand.Text())}, c)
				sessiontest.Must(b, sessiontest.ErrOf(store.Create(b.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{})))
			}
			b.ResetTimer()
			if parallel == 0 {
				for b.Loop() {
					create()
				}
				return
			}
			b.SetParallelism(parallel) // times GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					create()
				}
			})
		})
	}
}
