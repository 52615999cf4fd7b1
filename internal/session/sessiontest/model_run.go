package sessiontest

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// ModelOperations is how many operations a model test runs.
var ModelOperations = flag.Int("wxgate.ops", 3000, "random operations of the model test, for each store")

var modelSeed = flag.Uint64("wxgate.seed", 1, "seed of the model test")

// ModelRun applies the same operations to a gateway and to a model of it.
type ModelRun struct {
	testing.TB
	Rand    *rand.Rand
	c       *Clock
	model   *model
	store   Store
	service *auth.Service
	// Crash loses all data that is not durable. It is nil for stores that lose everything
	// in a crash.
	Crash func() Store

	users   []auth.User
	tokens  []modelToken
	signing int // counts signing keys
	log     []string
	counts  map[string]int
}

// NewModelRun compares a store with a model of it; crash may be nil.
func NewModelRun(t testing.TB, c *Clock, store Store, crash func() Store) *ModelRun {
	r := &ModelRun{
		TB: t, c: c, model: newModel(), Crash: crash,
		Rand:   rand.New(rand.NewPCG(*modelSeed, 0)), //nolint:gosec // G404: a seed that a failed test names
		users:  []auth.User{Alice, Bob, OtherAlice, {App: "wx2", OpenID: "carol"}},
		counts: map[string]int{},
	}
	r.use(store)
	return r
}

func (r *ModelRun) use(store Store) {
	r.store = store
	r.service = ServiceOver(store, r.c.Now, func() auth.KeyID { return auth.KeyID(fmt.Sprintf("key%d", r.signing)) })
}

// Run performs n random operations and stops at the first difference.
func (r *ModelRun) Run(n int) {
	kinds := r.kinds()
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	start := time.Now()
	for i := range n {
		pick := r.Rand.IntN(total)
		for _, k := range kinds {
			if pick -= k.weight; pick < 0 {
				r.counts[k.name]++
				r.note("%d %s at %s", i, k.name, r.c.Now().Format(time.TimeOnly+".000"))
				r.c.Advance(time.Millisecond)
				r.model.settle(r.c.Now())
				k.do()
				break
			}
		}
		r.compareCounts()
		if r.Failed() {
			r.Fatalf("the last operations (seed %d):\n%s", *modelSeed, strings.Join(r.log, "\n"))
		}
	}
	r.Logf("%d operations without a difference (in %v of fake time): %v", n, time.Since(start), r.counts)
}

func (r *ModelRun) compareCounts() {
	r.model.settle(r.c.Now())
	sessions, users := r.model.stored()
	want := session.Counts{Sessions: sessions, Users: users}
	if got := r.store.Count(); got != want {
		r.Errorf("the store has %+v, the model %+v", got, want)
	}
	if got, known := r.store.Gauge(r.Context()); !known || got != want {
		r.Errorf("the store counts %+v, known %v; the model %+v", got, known, want)
	}
}

// FreesExpired is for a store in which an expired session frees its place before a sweep.
func (r *ModelRun) FreesExpired() { r.model.frees = true }

// note keeps the last operations, for the report of a difference.
func (r *ModelRun) note(format string, args ...any) {
	const kept = 30
	r.log = append(r.log, fmt.Sprintf(format, args...))
	r.log = r.log[max(0, len(r.log)-kept):]
}

// CopyFile copies a file to a path that does not exist.
func CopyFile(t testing.TB, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	Must(t, err)
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	Must(t, err)
	_, err = io.Copy(dst, src)
	Must(t, err)
	Must(t, src.Close())
	Must(t, dst.Close())
}
