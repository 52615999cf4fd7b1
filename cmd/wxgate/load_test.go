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

// The long run, from the module's root:
//
//	go test -race -v -timeout 1h -run TestProcess/load ./cmd/wxgate -wxgate.load=60s
var loadTime = flag.Duration("wxgate.load", 3*time.Second, "how long TestProcess/load has WeChat fail")

const (
	loginPath = "/sns/jscode2session"
	// outageTime is how long WeChat is down, and outageCalls limits the calls that it receives
	// meanwhile: the failures that open the breaker, the calls in progress at that time, and
	// the attempts of the half-open breaker.
	outageTime  = 2 * time.Second
	outageCalls = 50
	// loginDeadline is the longest time of a login in docs/wechat.md, and loginSlack is for a
	// busy machine.
	loginDeadline = 5 * time.Second
	loginSlack    = 3 * time.Second
)

// failures are the faults of a fifth of WeChat's responses, all with the same probability, and
// the code of a login with such a fault.
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
	// tailShare of the other responses are correct but late, at most by tail.
	tailShare = 0.10
	tail      = 2 * time.Second
)

// testLoad runs one gateway under the same load of logins and calls in three phases: WeChat
// works, a fifth of its responses are failures and others take 2 s, and WeChat is down. No
// response may be wrong, no login slower than its deadline, and users who are logged in must
// not be affected. Timings are printed, but not checked, because the machine may be busy.
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
		w.t.Errorf("WeChat received %d calls while it was down: no breaker was open", n)
	}

	calm.expect("ok")
	failing.expect(append(slices.Collect(maps.Values(failures)), "ok")...)
	down.expect("wechat_unreachable")
	if failing.codes["ok"] == len(failing.logins) {
		w.t.Error("no login failed: the test covers less than it should")
	}
	l.checkSpent()
	w.gateway.stop()
	w.gateway.checkStore()
	for _, line := range w.gateway.wrote(crash) {
		w.wrong("a process wrote", errors.New(line))
	}
	w.t.Logf("%d wrong responses", w.figures["wrong responses"])
}

// load is the clients of a gateway.
type load struct {
	w       *world
	callers []*caller

	mu    sync.Mutex // guards codes
	codes []string   // all login codes that were sent
}

func (l *load) arm(f fault.Fault) {
	l.w.t.Helper()
	if err := l.w.sim.Sim.Arm(f); err != nil {
		l.w.t.Fatal(err)
	}
}

// armFailures arms all failures. The simulator draws for each kind in turn, so the probability
// of each kind is relative to the responses that are left.
func (l *load) armFailures() {
	left := 1.0
	for _, kind := range slices.Sorted(maps.Keys(failures)) {
		each := faultShare / float64(len(failures))
		l.arm(fault.Fault{Path: loginPath, Kind: kind, Probability: each / left})
		left -= each
	}
	l.arm(fault.Fault{Path: loginPath, Kind: fault.Slow, Delay: tail, Probability: tailShare})
}

// checkSpent checks that no code reached WeChat twice: the first login would have succeeded,
// and its response would be an error.
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

// spell is the result of one phase.
type spell struct {
	w    *world
	name string

	mu     sync.Mutex      // guards all below
	logins []time.Duration // of every response
	codes  map[string]int  // of logins: ok, or the code of the refusal
	calls  []time.Duration
}

// expect fails the test for a login with another code.
func (s *spell) expect(codes ...string) {
	for code, n := range s.codes {
		if !slices.Contains(codes, code) {
			s.w.wrong(s.name+": login", fmt.Errorf("%d had the code %s", n, code))
		}
	}
	if len(s.logins) == 0 || len(s.calls) == 0 {
		s.w.t.Errorf("%s: %d logins and %d calls: the test covers less than it should", s.name, len(s.logins), len(s.calls))
		return
	}
	s.w.t.Logf("%-8s %6d logins, p50 %v, p99 %v, slowest %v: %v", s.name, len(s.logins), quantile(s.logins, 50), quantile(s.logins, 99), quantile(s.logins, 100), s.codes)
	s.w.t.Logf("%-8s %6d calls,  p50 %v, p99 %v, slowest %v", s.name, len(s.calls), quantile(s.calls, 50), quantile(s.calls, 99), quantile(s.calls, 100))
}

// quantile sorts of and returns a percentile.
func quantile(of []time.Duration, percent int) time.Duration {
	slices.Sort(of)
	return of[(len(of)-1)*percent/100].Round(10 * time.Microsecond)
}

// login checks and records the response to a login.
func (s *spell) login(took time.Duration, r reply, code string) {
	if took > loginDeadline+loginSlack {
		s.w.wrong(s.name+": login", fmt.Errorf("it took %v", took))
	}
	if r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "" {
		s.w.wrong(s.name+": login", errors.New("a 503 without Retry-After"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, took)
	s.codes[code]++
}

func (s *spell) call(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, took)
}
