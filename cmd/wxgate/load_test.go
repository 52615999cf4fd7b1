package main_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// Run the long one from the module's root:
//
//	go test -race -v -timeout 1h -run TestProcess/load ./cmd/wxgate -wxgate.load=60s
var loadTime = flag.Duration("wxgate.load", 3*time.Second, "how long TestProcess/load has WeChat fail")

const (
	loginPath = "/sns/jscode2session"
	// outageTime is how long WeChat is down altogether, and outageCalls what it sees
	// of it: the failures that open the breaker, those that were under way with
	// them, and the tries of a breaker that looks whether it is over.
	outageTime  = 2 * time.Second
	outageCalls = 50
	// loginDeadline is what docs/wechat.md promises of a login, and loginSlack what
	// a machine that has much else to do may add.
	loginDeadline = 5 * time.Second
	loginSlack    = 3 * time.Second
)

// failures are the kinds of a fifth of WeChat's answers, each as likely as any
// other, and what a login that meets one is told.
var failures = map[fault.Kind]string{
	fault.Busy:        "wechat_busy",
	fault.Quota:       "wechat_busy",
	fault.MinuteQuota: "rate_limited",
	fault.Reset:       "wechat_unreachable",
	fault.HTML:        "wechat_unreadable",
	fault.HTTP500:     "wechat_unreadable",
	fault.Empty:       "wechat_unreadable",
	fault.Truncated:   "wechat_unreadable",
	fault.Huge:        "wechat_unreadable",
	fault.Timeout:     "wechat_timeout",
}

const (
	faultShare = 0.20
	// tailShare of the other answers are right and come late, within tail.
	tailShare = 0.10
	tail      = 2 * time.Second
)

// testLoad compares three times of one gateway under one load of logins and of
// calls by users who are logged in: while WeChat is well, while a fifth of its
// answers is a failure and others take 2 s, and while it is down. No answer may be
// wrong, no login slower than its deadline, and those who are logged in may not
// notice anything. Timings are printed and not judged: the machine is not ours.
func testLoad(w *world) {
	w.gateway.start()
	l := &load{w: w}
	for i := range callers {
		l.callers = append(l.callers, l.newCaller(fmt.Sprintf("caller%d", i)))
	}
	calm := l.run("calm", *loadTime)
	l.armFailures()
	failing := l.run("failing", *loadTime)
	w.sim.Sim.ClearFaults()
	l.arm(fault.Fault{Path: loginPath, Kind: fault.Reset})
	before := w.sim.Sim.Count(loginPath)
	down := l.run("down", outageTime)
	if n := w.sim.Sim.Count(loginPath) - before; n > outageCalls {
		w.t.Errorf("WeChat was asked %d times while it was down: no breaker was open", n)
	}

	calm.expect("ok")
	failing.expect(append(slices.Collect(maps.Values(failures)), "ok")...)
	down.expect("wechat_unreachable")
	if failing.words["ok"] == len(failing.logins) {
		w.t.Error("no login failed: the test tested less than it says")
	}
	l.checkSpent()
	w.gateway.stop()
	w.gateway.checkStore()
	for _, line := range w.gateway.wrote(crash) {
		w.wrong("a process wrote", errors.New(line))
	}
	w.t.Logf("%d wrong answers", w.figures["wrong answers"])
}

// load is what clients do to a gateway.
type load struct {
	w       *world
	callers []*caller

	mu    sync.Mutex // guards codes
	codes []string   // all that were sent
}

func (l *load) arm(f fault.Fault) {
	l.w.t.Helper()
	if err := l.w.sim.Sim.Arm(f); err != nil {
		l.w.t.Fatal(err)
	}
}

// armFailures has the simulator throw a die for each kind in turn, so each has a
// chance that makes the sum of all what it should be.
func (l *load) armFailures() {
	left := 1.0
	for _, kind := range slices.Sorted(maps.Keys(failures)) {
		each := faultShare / float64(len(failures))
		l.arm(fault.Fault{Path: loginPath, Kind: kind, Probability: each / left})
		left -= each
	}
	l.arm(fault.Fault{Path: loginPath, Kind: fault.Slow, Delay: tail, Probability: tailShare})
}

// checkSpent: a code that reached WeChat twice would be a login that worked, and
// an answer that says it did not.
func (l *load) checkSpent() {
	seen := make(map[string]int)
	requests := l.w.sim.Sim.Requests(loginPath)
	for _, r := range requests {
		code := r.Query.Get("js_code")
		if seen[code]++; seen[code] == 2 {
			l.w.wrong("login", errors.New("its code reached WeChat twice"))
		}
	}
	if sent, arrived := len(l.codes), l.w.sim.Sim.Count(loginPath); arrived > sent || arrived == 0 {
		l.w.wrong("login", fmt.Errorf("%d codes were sent, and %d arrived", sent, arrived))
	}
}

// spell is what happened while WeChat was in one state.
type spell struct {
	w    *world
	name string

	mu     sync.Mutex      // guards all below
	logins []time.Duration // of every answer
	words  map[string]int  // of logins: ok, or the word of the refusal
	calls  []time.Duration
}

// expect fails the test for a login that was told something else than one of these.
func (s *spell) expect(words ...string) {
	for word, n := range s.words {
		if !slices.Contains(words, word) {
			s.w.wrong(s.name+": login", fmt.Errorf("%d were told %s", n, word))
		}
	}
	if len(s.logins) == 0 || len(s.calls) == 0 {
		s.w.t.Errorf("%s: %d logins and %d calls: the test tested less than it says", s.name, len(s.logins), len(s.calls))
		return
	}
	s.w.t.Logf("%-8s %6d logins, p50 %v, p99 %v, slowest %v: %v", s.name, len(s.logins), quantile(s.logins, 50), quantile(s.logins, 99), quantile(s.logins, 100), s.words)
	s.w.t.Logf("%-8s %6d calls,  p50 %v, p99 %v, slowest %v", s.name, len(s.calls), quantile(s.calls, 50), quantile(s.calls, 99), quantile(s.calls, 100))
}

// quantile sorts.
func quantile(of []time.Duration, percent int) time.Duration {
	slices.Sort(of)
	return of[(len(of)-1)*percent/100].Round(10 * time.Microsecond)
}

// login notes a login's answer, or what is wrong with it.
func (s *spell) login(took time.Duration, r reply, word string) {
	if took > loginDeadline+loginSlack {
		s.w.wrong(s.name+": login", fmt.Errorf("it took %v", took))
	}
	if r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "" {
		s.w.wrong(s.name+": login", errors.New("a 503 without Retry-After"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, took)
	s.words[word]++
}

func (s *spell) call(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, took)
}
