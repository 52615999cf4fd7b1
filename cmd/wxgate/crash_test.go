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

// The long runs, from the module's root:
//
//	go test -race -v -timeout 1h -run TestProcess/crash ./cmd/wxgate -wxgate.crashes=200
//	go test -race -v -timeout 1h -run TestProcess/soak  ./cmd/wxgate -wxgate.soak=10m
var (
	crashes = flag.Int("wxgate.crashes", 8, "how often TestProcess/crash kills the gateway at work")
	soak    = flag.Duration("wxgate.soak", 4*time.Second, "how long TestProcess/soak runs")
)

// users is the number of users of one run.
const users = 8

// world is a gateway process, WeChat, a business service, users and an operator. A [fleet] has
// replicas of the gateway.
type world struct {
	t        *testing.T
	gateway  *gateway   // to which the operator sends requests
	replicas []*gateway // all gateways, if there are several
	sim      *simserver.Server
	business string // its address
	keys     *keyring
	users    []*user
	op       *operator

	tempo  time.Duration // a user's longest pause between two requests
	late   func(replica *gateway, over time.Time) time.Time
	absent func(r reply) error // checks a 503 of an unavailable store; nil: it must be available

	mu      sync.Mutex
	figures map[string]int
	slowest time.Duration // of all starts
}

// unlimited raises the limits for users who send requests all the time. The limits are not
// tested here.
const unlimited = "limit phone 100000/1m\n\t\tlimit decode 100000/1m"

func newWorld(t *testing.T, binary string, reloads bool) *world {
	t.Helper()
	w := newEmptyWorld(t)
	w.gateway = newGateway(t, binary, w.sim.URL, w.business)
	w.gateway.site = unlimited
	w.op = &operator{w: w, reloads: reloads}
	w.tempo = 30 * time.Millisecond
	w.populate(users)
	return w
}

// newEmptyWorld returns a world without gateways and users.
func newEmptyWorld(t *testing.T) *world {
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

// ask sends a request to the gateway, or to a random replica.
func (w *world) ask(method, path, body, token string) reply {
	gateway := w.gateway
	if len(w.replicas) > 0 {
		gateway = w.replicas[rand.IntN(len(w.replicas))]
	}
	return w.askOf(gateway, method, path, body, token)
}

// askOf sends a request to a gateway. A response of an unavailable store counts as no response:
// the request may have been carried out or not.
func (w *world) askOf(gateway *gateway, method, path, body, token string) reply {
	r := gateway.send(method, path, body, token)
	if w.absent == nil || !r.received() || r.status != http.StatusServiceUnavailable || r.code() != "store_unavailable" {
		return r
	}
	w.count("responses store_unavailable")
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

// received reports whether a response was received. It counts requests without a response, and
// fails the test if a request timed out: a gateway must respond or close the connection.
func (w *world) received(r reply) bool {
	if r.received() {
		return true
	}
	if !r.unsent() && !errors.Is(r.err, errNoStore) {
		w.count("unanswered")
	}
	if errors.Is(r.err, errTimeout) {
		w.wrong("waiting", r.err)
	}
	return false
}

// wrong reports a response that contradicts an earlier one.
func (w *world) wrong(what string, err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	w.count("wrong responses")
	w.t.Errorf("%s: %v", what, err)
}

// start starts the gateway on its files, and checks every response that it ever sent.
func (w *world) start() {
	if rand.IntN(4) == 0 { // kill it during the start
		w.gateway.launch()
		<-time.After(rand.N(time.Second))
		w.gateway.kill()
		w.count("kills")
	}
	w.slowest = max(w.slowest, w.gateway.start())
	if w.op.reloads {
		w.keys.reconfigured() // an interrupted reload takes effect now
	}
	var group sync.WaitGroup
	group.Go(w.op.audit)
	for _, u := range w.users {
		group.Go(u.audit)
	}
	group.Wait()
}

// storm makes the users and the operator send random requests, and kills the gateway meanwhile.
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

// work makes every user send random requests until ctx ends.
func (w *world) work(ctx context.Context, group *sync.WaitGroup) {
	for _, u := range w.users {
		group.Go(func() { u.run(ctx) })
	}
}

// finish checks every response a last time, stops the gateway with SIGTERM, and checks the file
// and the output of the processes.
func (w *world) finish() {
	w.start()
	w.gateway.stop()
	w.gateway.checkStore()
	for _, line := range w.gateway.errorLines() {
		w.wrong("a process wrote", errors.New(line))
	}
	w.report("logins", "refreshes", "logouts", "calls", "kills")
	w.t.Logf("%8d wrong responses; slowest start %v", w.figures["wrong responses"], w.slowest.Round(time.Millisecond))
}

// report prints the figures. The figures in needed must not be 0.
func (w *world) report(needed ...string) {
	for _, figure := range needed {
		if w.figures[figure] == 0 {
			w.t.Errorf("no %s: the test covers less than it should", figure)
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

// testCrash kills a real gateway at random moments of logins, refreshes, logouts and key
// rotations, starts it again on the same files, and checks every response that it sent: a
// confirmed request was carried out, a request without a response was carried out or not, and
// the files open.
func testCrash(w *world) {
	for i := range *crashes {
		w.start()
		w.storm(20*time.Millisecond + rand.N(700*time.Millisecond))
		if i%4 == 3 {
			w.gateway.checkStore()
		}
		if w.t.Failed() {
			break // the figures show where
		}
	}
	w.finish()
}

// testSoak is the same test with reloads that change the algorithm, the issuer and the
// audience, for the time of the flag.
//
// If a request arrives during a reload, Go's server may close the connection before it reads
// the request: that request has no response, and nothing is lost.
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
