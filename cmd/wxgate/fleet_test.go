package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// fleet is a world with three gateways that share a Redis. All of them give the same
// guarantees, even if Redis or the network fails.
type fleet struct {
	*world
	allow   time.Duration
	history *history

	mu      sync.Mutex
	outages []outage
	waits   []time.Duration // how long each 503 took once a replica knew that Redis was down
	atOnce  time.Duration   // the upper limit of their median
}

// outage is a time in which a replica may not have reached Redis. It is recorded before the
// fault, and ends after the repair.
type outage struct {
	replica  *gateway
	from, to time.Time // to is zero during the outage
}

const (
	replicas = 3
	// receivedWithin is the documented time after the response to a logout in which every
	// replica that reaches Redis refuses the session's tokens.
	receivedWithin = time.Second
	// heartbeat is how often a replica that receives no revocations checks that Redis
	// responds. Its last check may be so much older than the time of on_stale.
	heartbeat = 500 * time.Millisecond
	// caughtUpWithin is how soon after a repair a replica has received the revocations that
	// it missed.
	caughtUpWithin = 3 * time.Second
	// refusedWithin limits the time of a 503 of the store: a refresh takes at most five
	// seconds, and one more on a busy machine. Once a replica knows that Redis is down, it
	// responds at once; see [fleet.judgeWaits].
	refusedWithin = 6 * time.Second
	// knownWithin is how soon a replica knows that Redis is down: the timeout of a command
	// after the last reply, a short wait, and the same time again.
	knownWithin = 3 * time.Second
	// Each user checks its responses itself. Those of the historians are checked by
	// porcupine.
	fleetUsers = 8
	historians = 4
)

// newFleet starts three gateways. storeOf returns the arguments of store of each, and allow is
// how long they admit tokens without Redis (on_stale).
func newFleet(t *testing.T, allow time.Duration, storeOf func(replica int) string) *fleet {
	t.Helper()
	needRedis(t)
	binary, err := exec.LookPath("wxgate") // this test binary; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{world: newEmptyWorld(t), allow: allow, atOnce: 250 * time.Millisecond}
	f.tempo = 150 * time.Millisecond
	f.late, f.absent = f.lateFor, f.judgeAbsence
	for i := range replicas {
		g := newGateway(t, binary, f.sim.URL, f.business)
		g.store = storeOf(i)
		g.site = fmt.Sprintf("on_stale allow %v\n\t\t%s", allow, unlimited)
		f.replicas = append(f.replicas, g)
		g.launch()
	}
	for _, g := range f.replicas {
		g.await()
	}
	f.gateway = f.replicas[0]
	f.history = newHistory(f)
	f.populate(fleetUsers)
	return f
}

// lateFor returns until when a replica may admit tokens of a session whose end was confirmed at
// over. A replica that reaches Redis has received the revocation by then. A replica that was
// cut off before stops admitting tokens when the time of on_stale ends.
func (f *fleet) lateFor(replica *gateway, over time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	late := over.Add(receivedWithin)
	for _, o := range f.outages {
		if o.replica != replica || o.from.After(late) || !o.to.IsZero() && o.to.Add(caughtUpWithin).Before(over) {
			continue
		}
		stale := o.from.Add(f.allow + heartbeat)
		if healed := o.to.Add(caughtUpWithin); !o.to.IsZero() && healed.Before(stale) {
			stale = healed
		}
		if stale.After(late) {
			late = stale
		}
	}
	return late
}

// judgeAbsence checks a response of an unavailable store: it has Retry-After, it was sent soon,
// and there is an outage.
func (f *fleet) judgeAbsence(r reply) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.header.Get("Retry-After") == "" {
		return errors.New("503 without Retry-After")
	}
	f.slowest = max(f.slowest, r.came.Sub(r.sent))
	if took := r.came.Sub(r.sent); took > refusedWithin {
		return fmt.Errorf("a 503 of the store took %v", took)
	}
	for _, o := range f.outages {
		if o.replica != r.from || r.came.Before(o.from) || !o.to.IsZero() && r.sent.After(o.to.Add(caughtUpWithin)) {
			continue
		}
		if r.sent.After(o.from.Add(knownWithin)) && (o.to.IsZero() || r.came.Before(o.to)) {
			f.waits = append(f.waits, r.came.Sub(r.sent))
		}
		return nil
	}
	return fmt.Errorf("unexpected response %d %s: Redis was available all the time", r.status, r.body)
}

// broken records that replicas are cut off. The caller calls whole when Redis is reachable again.
func (f *fleet) broken(which ...*gateway) (whole func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := len(f.outages)
	for _, g := range which {
		f.outages = append(f.outages, outage{replica: g, from: time.Now()})
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i := range which {
			f.outages[first+i].to = time.Now()
		}
	}
}

// during makes the users send random requests during a fault, and for a while before and after
// it. Then it checks every response that they received.
func (f *fleet) during(fault func()) {
	f.t.Helper()
	const calm = 1500 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	f.work(ctx, &group)
	f.history.work(ctx, &group)
	<-time.After(calm)
	fault()
	f.awaitReady()
	<-time.After(caughtUpWithin)
	cancel()
	group.Wait()
	f.audit()
}

// awaitReady waits until every replica is ready.
func (f *fleet) awaitReady() {
	f.t.Helper()
	for i, g := range f.replicas {
		var r reply
		for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); <-time.After(pollEvery) {
			if r = g.send(http.MethodGet, pub+"/ready", "", ""); r.status == http.StatusOK {
				break
			}
		}
		if r.status != http.StatusOK {
			f.t.Fatalf("replica %d is not ready again: %d %s %v\n%s", i, r.status, r.body, r.err, g.tail())
		}
	}
}

// audit checks every response that the users received, without a fault: every session that was
// not ended yields a pair, and every ended session is refused.
func (f *fleet) audit() {
	f.t.Helper()
	var group sync.WaitGroup
	for _, u := range f.users {
		group.Go(u.audit)
	}
	group.Wait()
	for _, u := range f.users {
		for _, s := range u.live {
			if s.fate == unsure {
				continue // a "log out everywhere" may have ended it
			}
			if !s.spent.IsZero() {
				f.wrong(u.name+": audit", errors.New("Redis is back, but a session does not refresh"))
			}
		}
	}
}

// finish checks the whole history and the output of the processes.
func (f *fleet) finish(needed ...string) {
	f.t.Helper()
	f.judgeWaits()
	f.history.judge()
	for i, g := range f.replicas {
		for _, line := range g.wrote(crash) {
			f.wrong(fmt.Sprintf("replica %d wrote", i), errors.New(line))
		}
	}
	f.judgeLogs()
	f.report(append([]string{"logins", "refreshes", "logouts", "calls"}, needed...)...)
}

// judgeLogs checks that an outage does not fill the disk: there are far fewer log lines than
// refusals. The audit log is not sampled: it has a line for each login.
func (f *fleet) judgeLogs() {
	f.t.Helper()
	const ofOutages, refusalsPerLine = 60, 10 // for the beginning, the course and the end of outages
	lines := 0
	for _, g := range f.replicas {
		lines += len(g.wrote(func(line string) bool {
			return strings.Contains(line, "store_unavailable") && !strings.Contains(line, "wxgate.audit")
		}))
	}
	refused := f.figures["responses store_unavailable"]
	f.t.Logf("%8d lines about %d responses store_unavailable", lines, refused)
	if lines > ofOutages+refused/refusalsPerLine {
		f.t.Errorf("%d refusals caused %d lines", refused, lines)
	}
}

// judgeWaits checks that a replica that knows that Redis is down responds 503 at once: it does
// not wait for a timeout.
func (f *fleet) judgeWaits() {
	f.t.Helper()
	if len(f.waits) == 0 {
		return
	}
	slices.Sort(f.waits)
	at := func(percent int) time.Duration { return f.waits[(len(f.waits)-1)*percent/100].Round(time.Millisecond) }
	median := at(50)
	f.t.Logf("%8d responses of replicas that knew that the store was down: p50 %v, p99 %v, max %v; all responses during a fault: max %v",
		len(f.waits), median, at(99), at(100), f.slowest.Round(time.Millisecond))
	if median > f.atOnce {
		f.t.Errorf("the median is longer than %v", f.atOnce)
	}
}

// login logs a user in at a replica. If the store or the simulator is unavailable, it returns
// neither a pair nor an error.
func (f *fleet) login(g *gateway, name string) (pair, reply, error) {
	code, err := f.sim.Sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{})
	if err != nil {
		return pair{}, reply{}, err
	}
	r := f.askOf(g, http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), "")
	if !r.received() || r.status >= http.StatusInternalServerError {
		return pair{}, r, nil
	}
	p, err := r.pair()
	if err != nil {
		err = r.unexpected()
	}
	return p, r, err
}

// loginAt logs in a user who sends no other requests.
func (f *fleet) loginAt(g *gateway) (pair, reply, error) {
	p, r, err := f.login(g, fmt.Sprintf("visitor%d", f.history.number()))
	if err == nil && p == (pair{}) {
		err = r.unexpected()
	}
	return p, r, err
}
