package main_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// Run the long ones from the module's root:
//
//	go test -race -v -timeout 1h -run TestProcess/crash ./cmd/wxgate -wxgate.crashes=200
//	go test -race -v -timeout 1h -run TestProcess/soak  ./cmd/wxgate -wxgate.soak=10m
var (
	crashes = flag.Int("wxgate.crashes", 8, "how often TestProcess/crash kills the gateway at work")
	soak    = flag.Duration("wxgate.soak", 4*time.Second, "how long TestProcess/soak runs")
)

// users of one run. Each does one or two things at a time.
const users = 8

// world is a gateway process, WeChat, a business service, users and an operator.
// A [fleet] is one with replicas of the gateway.
type world struct {
	t        *testing.T
	gateway  *gateway   // the operator's
	replicas []*gateway // all of them, if there are others
	sim      *simserver.Server
	business string // its address
	keys     *keyring
	users    []*user
	op       *operator

	tempo  time.Duration // the most that a user rests between two things
	late   func(replica *gateway, over time.Time) time.Time
	absent func(r reply) error // judges a 503 of the store, which may be away; nil: it may not

	mu      sync.Mutex
	figures map[string]int
	slowest time.Duration // start
}

// unlimited lets users who never rest have their phone numbers: what is tested is not
// the limits.
const unlimited = "limit phone 100000/1m\n\t\tlimit decode 100000/1m"

func newWorld(t *testing.T, binary string, reloads bool) *world {
	t.Helper()
	w := newSurrounded(t)
	w.gateway = newGateway(t, binary, w.sim.URL, w.business)
	w.gateway.site = unlimited
	w.op = &operator{w: w, reloads: reloads}
	w.tempo = 30 * time.Millisecond
	w.populate(users)
	return w
}

// newSurrounded is a world without gateways and users.
func newSurrounded(t *testing.T) *world {
	t.Helper()
	sim, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	business := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(r.Header.Values("X-WX-OPENID"), ","))
	}))
	t.Cleanup(business.Close)
	return &world{
		t: t, sim: sim, business: strings.TrimPrefix(business.URL, "http://"),
		keys: &keyring{keys: make(map[string]keyState)}, figures: make(map[string]int),
	}
}

func (w *world) populate(n int) {
	for i := range n {
		w.users = append(w.users, newUser(w, fmt.Sprintf("user%d", i)))
	}
}

// ask sends a request to the gateway, or to whichever replica.
func (w *world) ask(method, path, body, token string) reply {
	gateway := w.gateway
	if len(w.replicas) > 0 {
		gateway = w.replicas[rand.IntN(len(w.replicas))]
	}
	return w.askOf(gateway, method, path, body, token)
}

// askOf sends it to one. That the store was not to be had is an answer without a
// meaning: the request may have been carried out or not, as if nothing had come back.
func (w *world) askOf(gateway *gateway, method, path, body, token string) reply {
	r := gateway.send(method, path, body, token)
	if w.absent == nil || !r.answered() || r.status != http.StatusServiceUnavailable || r.word() != "store_unavailable" {
		return r
	}
	w.count("answers that the store was away")
	if err := w.absent(r); err != nil {
		w.wrong(path, err)
	}
	r.err = errNoStore
	return r
}

func (w *world) count(figure string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.figures[figure]++
}

// answered counts a request that was not, and fails the test for one that was
// left hanging: a gateway answers, or it closes the connection.
func (w *world) answered(r reply) bool {
	if r.answered() {
		return true
	}
	if !r.unsent() && !errors.Is(r.err, errNoStore) {
		w.count("unanswered")
	}
	if errors.Is(r.err, errNoTime) {
		w.wrong("waiting", r.err)
	}
	return false
}

// wrong is an answer that contradicts one that was given.
func (w *world) wrong(what string, err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	w.count("wrong answers")
	w.t.Errorf("%s: %v", what, err)
}

// start brings the gateway up on the files that it finds, and asks about every
// answer that it ever gave.
func (w *world) start() {
	if rand.IntN(4) == 0 { // dies on the way up
		w.gateway.launch()
		<-time.After(rand.N(time.Second))
		w.gateway.kill()
		w.count("kills")
	}
	w.slowest = max(w.slowest, w.gateway.start())
	if w.op.reloads {
		w.keys.reconfigured() // a reload that was cut off comes into force now
	}
	var group sync.WaitGroup
	group.Go(w.op.audit)
	for _, u := range w.users {
		group.Go(u.audit)
	}
	group.Wait()
}

// storm has everybody do this and that, and kills the gateway in the middle.
func (w *world) storm(lasting time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { w.op.run(ctx) })
	w.work(ctx, &group)
	<-time.After(lasting)
	w.gateway.kill()
	w.count("kills")
	cancel()
	group.Wait()
}

// work has every user do this and that until ctx ends.
func (w *world) work(ctx context.Context, group *sync.WaitGroup) {
	for _, u := range w.users {
		group.Go(func() { u.run(ctx) })
	}
}

// finish asks everything a last time, stops the gateway in peace and looks at
// the file and at what the processes wrote.
func (w *world) finish() {
	w.start()
	w.gateway.stop()
	w.gateway.checkStore()
	for _, line := range w.gateway.complaints() {
		w.wrong("a process wrote", errors.New(line))
	}
	w.report("logins", "refreshes", "logouts", "calls", "kills")
	w.t.Logf("%8d wrong answers; slowest start %v", w.figures["wrong answers"], w.slowest.Round(time.Millisecond))
}

// report prints the figures; those that are named must not be 0.
func (w *world) report(needed ...string) {
	for _, figure := range needed {
		if w.figures[figure] == 0 {
			w.t.Errorf("no %s: the test tested less than it says", figure)
		}
	}
	for _, figure := range slices.Sorted(maps.Keys(w.figures)) {
		w.t.Logf("%8d %s", w.figures[figure], figure)
	}
}

// TestProcess runs the real command.
func TestProcess(t *testing.T) {
	binary := buildGateway(t)
	t.Run("crash", func(t *testing.T) { testCrash(newWorld(t, binary, false)) })
	t.Run("soak", func(t *testing.T) { testSoak(newWorld(t, binary, true)) })
	t.Run("load", func(t *testing.T) { testLoad(newWorld(t, binary, false)) })
}

// testCrash kills a real gateway at random moments of logins, refreshes, logouts
// and key rotations, starts it again on the same files, and asks about every
// answer that it gave: what was answered holds, what was not answered happened
// or did not, and the files open.
func testCrash(w *world) {
	for i := range *crashes {
		w.start()
		w.storm(20*time.Millisecond + rand.N(700*time.Millisecond))
		if i%4 == 3 {
			w.gateway.checkStore()
		}
		if w.t.Failed() {
			break // the figures tell where
		}
	}
	w.finish()
}

// testSoak is the same with reloads that change the algorithm, the issuer and
// the audience in the middle of it, for as long as the flag says.
//
// Go's server closes a connection on which a request crosses with a reload,
// before it reads it: that request was not answered, and nothing is lost.
func testSoak(w *world) {
	for end := time.Now().Add(*soak); time.Now().Before(end); {
		w.start()
		w.storm(time.Second + rand.N(min(*soak/4, 10*time.Second)))
	}
	w.finish()
	if w.figures["reloads"] == 0 {
		w.t.Error("no reloads")
	}
}
