package session_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

var (
	modelOps  = flag.Int("wxgate.ops", 3000, "random operations of the model test, for each store")
	modelSeed = flag.Uint64("wxgate.seed", 1, "seed of the model test")
)

// run is a gateway and a model of it that are told the same things.
type run struct {
	testing.TB
	rng     *rand.Rand
	c       *clock
	model   *model
	store   opened
	service *auth.Service
	// crash loses all that is not durable. It is nil for stores that a crash
	// empties.
	crash func() opened

	users   []auth.User
	tokens  []modelToken
	signing int // counts signing keys
	log     []string
	counts  map[string]int
}

func TestModelMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the gathering of replays takes no time
		c := newClock()
		newRun(t, c, openMemory(t, c), nil).operations(*modelOps)
	})
}

// The same with a file that crashes: it is closed without notice, or copied at a
// commit's end and the copy goes on.
func TestModelFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, box := newClock(), mustBox(t, secretOne)
		path := filepath.Join(dir, "0.db")
		open := func() (*session.File, opened) {
			file, err := session.OpenFile(path, session.Options{Now: c.Now})
			must(t, err)
			return file, over(t, file, c, box)
		}
		file, store := open()
		generation := 0
		r := newRun(t, c, store, nil)
		r.crash = func() opened {
			old, from := file, path
			if r.rng.IntN(2) == 0 { // power loss: what is on the disk now is all
				generation++
				path = filepath.Join(dir, fmt.Sprintf("%d.db", generation))
				copyFile(t, from, path)
			}
			must(t, old.Close())
			wantSound(t, path)
			if path != from {
				must(t, os.Remove(from))
			}
			var store opened
			file, store = open()
			return store
		}
		r.operations(*modelOps)
		must(t, file.Close())
		wantSound(t, path)
	})
}

// The same with Redis, which a crash of the gateway leaves alone: another begins
// where it stood. Replays wait in real time, so there are fewer operations.
func TestModelRedis(t *testing.T) {
	t.Parallel()
	const share = 8 // of the operations
	c := newClock()
	redis, cfg := openRedisWith(t, c, session.RedisConfig{})
	admin := redis
	c.moved = func(d time.Duration) { admin.age(d, 0) }
	r := newRun(t, c, overRedis(t, redis, c), nil)
	r.model.frees = true
	r.crash = func() opened {
		must(t, redis.Close())
		redis, _ = openRedisWith(t, c, cfg)
		return overRedis(t, redis, c)
	}
	r.operations(*modelOps / share)
}

// wantSound checks a copy: a read-only lock stays until a child that another test
// is starting has closed its descriptors, and a bubble's clock does not wait for
// that when the file is opened again.
func wantSound(t testing.TB, path string) {
	t.Helper()
	checked := path + ".checked"
	copyFile(t, path, checked)
	if report, err := session.Check(checked); err != nil || len(report.Problems) > 0 {
		t.Fatalf("the file is not sound: %+v, %v", report, err)
	}
	must(t, os.Remove(checked))
}

func newRun(t testing.TB, c *clock, store opened, crash func() opened) *run {
	r := &run{
		TB: t, c: c, model: newModel(), crash: crash,
		rng:    rand.New(rand.NewPCG(*modelSeed, 0)),
		users:  []auth.User{alice, bob, otherAlice, {App: "wx2", OpenID: "carol"}},
		counts: map[string]int{},
	}
	r.use(store)
	return r
}

func (r *run) use(store opened) {
	r.store = store
	r.service = serviceOver(store, r.c.Now, func() auth.KeyID { return auth.KeyID(fmt.Sprintf("key%d", r.signing)) })
}

// operations performs n random operations and stops at the first difference.
func (r *run) operations(n int) {
	kinds := r.kinds()
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	start := time.Now()
	for i := range n {
		pick := r.rng.IntN(total)
		for _, k := range kinds {
			if pick -= k.weight; pick < 0 {
				r.counts[k.name]++
				r.note("%d %s at %s", i, k.name, r.c.Now().Format(time.TimeOnly+".000"))
				r.c.advance(time.Millisecond)
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
	r.Logf("%d operations without a difference (%v of fake time waited): %v", n, time.Since(start), r.counts)
}

func (r *run) compareCounts() {
	r.model.settle(r.c.Now())
	sessions, users := r.model.stored()
	if got := r.store.stats(); got.Sessions != sessions || got.Users != users {
		r.Errorf("the store says %d sessions of %d users, the model %d of %d", got.Sessions, got.Users, sessions, users)
	}
}

// note keeps the last operations for whoever has to find a difference.
func (r *run) note(format string, args ...any) {
	const kept = 30
	r.log = append(r.log, fmt.Sprintf(format, args...))
	r.log = r.log[max(0, len(r.log)-kept):]
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	must(t, err)
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	_, err = io.Copy(dst, src)
	must(t, err)
	must(t, src.Close())
	must(t, dst.Close())
}
