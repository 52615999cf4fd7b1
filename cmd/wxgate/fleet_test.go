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

// fleet is a world with three gateways that share a Redis: what they promise is
// the same whichever is asked, and whatever becomes of Redis and the way to it.
type fleet struct {
	*world
	allow   time.Duration
	history *history

	mu      sync.Mutex
	outages []outage
	waits   []time.Duration // what a 503 of the store took, once it was known to be away
	atOnce  time.Duration   // what half of them take at most
}

// outage is a time in which a replica may not have reached Redis. It is written down
// before it begins and ends when the test made everything whole again.
type outage struct {
	replica  *gateway
	from, to time.Time // to is zero while it lasts
}

const (
	replicas = 3
	// heardWithin is the promise: so soon after the answer to a logout every replica
	// that hears Redis refuses the session's tokens.
	heardWithin = time.Second
	// heartbeat is how often a replica that has nothing to hear learns that Redis is
	// still there: so much older than the allowance may be what it last received.
	heartbeat = 500 * time.Millisecond
	// caughtUpWithin is how soon after everything is whole again a replica has received
	// what it missed.
	caughtUpWithin = 3 * time.Second
	// refusedWithin bounds an answer that says that the store is down: a refresh takes
	// five seconds at most, and a busy machine one more. Once a replica knows, it
	// answers at once; see [fleet.judgeWaits].
	refusedWithin = 6 * time.Second
	// knownWithin is when a replica knows that Redis is down: a command's time after
	// the last that was answered, a moment's patience, and as long again.
	knownWithin = 3 * time.Second
	// Of the users each knows what it may expect, of the historians the checker does.
	fleetUsers = 8
	historians = 4
)

// newFleet starts three gateways. storeOf is the store's line of each, on_stale
// how long they go on without Redis.
func newFleet(t *testing.T, allow time.Duration, storeOf func(replica int) string) *fleet {
	t.Helper()
	needRedis(t)
	binary, err := exec.LookPath("wxgate") // this test binary; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{world: newSurrounded(t), allow: allow, atOnce: 250 * time.Millisecond}
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

// lateFor is until when a replica may admit tokens of a session whose end was
// answered at over. A replica that reaches Redis has received it by then; one that
// was cut off before stops admitting anything when the allowance ends.
func (f *fleet) lateFor(replica *gateway, over time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	late := over.Add(heardWithin)
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

// judgeAbsence judges an answer that says that the store is down: it says when to
// come again, it comes soon, and it comes when there is a reason for it.
func (f *fleet) judgeAbsence(r reply) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.header.Get("Retry-After") == "" {
		return errors.New("503 without Retry-After")
	}
	f.slowest = max(f.slowest, r.came.Sub(r.sent))
	if took := r.came.Sub(r.sent); took > refusedWithin {
		return fmt.Errorf("it took %v to say that the store is down", took)
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
	return fmt.Errorf("unexpected answer %d %s: Redis was there all the time", r.status, r.body)
}

// broken writes down that replicas are cut off, and returns how to write down
// that they are not any more.
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

// during has everybody do this and that while fault happens, and for a while
// before and after it, and then asks about every answer that was given.
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

// awaitReady waits until every replica says that it serves.
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

// audit asks about every answer that was given, and this time all is whole: every
// session that nobody ended yields a pair, and every one that is over is refused.
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
				continue // an "ended everywhere" that nobody can tell
			}
			if !s.spent.IsZero() {
				f.wrong(u.name+": audit", errors.New("Redis is back and a session does not refresh"))
			}
		}
	}
}

// finish judges the whole history and what the processes wrote.
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

// judgeLogs has an outage fill no disk: there are far fewer lines than refusals. The audit
// log is not sampled: it has a line for each login.
func (f *fleet) judgeLogs() {
	f.t.Helper()
	const ofOutages, refusalsPerLine = 60, 10 // all that begin, go on or end; below that many refusals it does not matter
	lines := 0
	for _, g := range f.replicas {
		lines += len(g.wrote(func(line string) bool {
			return strings.Contains(line, "store_unavailable") && !strings.Contains(line, "wxgate.audit")
		}))
	}
	refused := f.figures["answers that the store was away"]
	f.t.Logf("%8d lines about %d answers that the store was away", lines, refused)
	if lines > ofOutages+refused/refusalsPerLine {
		f.t.Errorf("%d refusals made %d lines", refused, lines)
	}
}

// judgeWaits is what "at once" means for a 503 of a replica that knows that Redis
// is down: it does not wait for a timeout.
func (f *fleet) judgeWaits() {
	f.t.Helper()
	if len(f.waits) == 0 {
		return
	}
	slices.Sort(f.waits)
	at := func(percent int) time.Duration { return f.waits[(len(f.waits)-1)*percent/100].Round(time.Millisecond) }
	median := at(50)
	f.t.Logf("%8d answers of replicas that knew that the store was away: p50 %v, p99 %v, max %v; of all that came during a fault: max %v",
		len(f.waits), median, at(99), at(100), f.slowest.Round(time.Millisecond))
	if median > f.atOnce {
		f.t.Errorf("half of them took longer than %v", f.atOnce)
	}
}

// login logs a user in at a replica. There is no pair and no error where the store
// or the simulator were not to be had.
func (f *fleet) login(g *gateway, name string) (pair, reply, error) {
	code, err := f.sim.Sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{})
	if err != nil {
		return pair{}, reply{}, err
	}
	r := f.askOf(g, http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), "")
	if !r.answered() || r.status >= http.StatusInternalServerError {
		return pair{}, r, nil
	}
	p, err := r.pair()
	if err != nil {
		err = r.unexpected()
	}
	return p, r, err
}

// loginAt logs a user in who does nothing else.
func (f *fleet) loginAt(g *gateway) (pair, reply, error) {
	p, r, err := f.login(g, fmt.Sprintf("visitor%d", f.history.number()))
	if err == nil && p == (pair{}) {
		err = r.unexpected()
	}
	return p, r, err
}
