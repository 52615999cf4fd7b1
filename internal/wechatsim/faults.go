package wechatsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrBadFault means that a fault cannot be armed as it is written.
var ErrBadFault = errors.New("bad fault")

// A FaultKind is one way in which WeChat goes wrong.
type FaultKind string

// The kinds. Those said to bend the right response do the work first, always;
// the others take its place, and do the work first only if After is set. The
// codes are WeChat's; other platforms answer their own, and "busy" where they
// have none for a quota.
//
// On a connection it has used before, Go's client silently repeats a GET that
// was reset: such a request costs two Times and counts twice.
const (
	FaultBusy        FaultKind = "busy"         // errcode -1
	FaultErrCode     FaultKind = "errcode"      // the errcode given
	FaultQuota       FaultKind = "quota"        // errcode 45009, the day's quota
	FaultMinuteQuota FaultKind = "minute_quota" // errcode 45011, the minute's
	FaultTimeout     FaultKind = "timeout"      // no answer until the client or the simulator goes away
	FaultReset       FaultKind = "reset"        // connection reset without an answer
	FaultHTML        FaultKind = "html"         // 200 with an HTML page
	FaultHTTP500     FaultKind = "http500"      // 502 with an HTML page
	FaultEmpty       FaultKind = "empty"        // 200, empty, text/html; charset=gbk
	FaultRedirect    FaultKind = "redirect"     // 302 to another path
	FaultSlow        FaultKind = "slow"         // bends: half of Delay before, half dribbling
	FaultTruncated   FaultKind = "truncated"    // bends: whole Content-Length, half the body
	FaultControl     FaultKind = "control"      // bends: raw control characters in a JSON string
	FaultHuge        FaultKind = "huge"         // bends: more than 1 MiB of JSON
)

// replacing and bending are the kinds by what they do to the right answer.
var (
	replacing = []FaultKind{
		FaultBusy, FaultErrCode, FaultQuota, FaultMinuteQuota, FaultTimeout,
		FaultReset, FaultHTML, FaultHTTP500, FaultEmpty, FaultRedirect,
	}
	bending = []FaultKind{FaultSlow, FaultTruncated, FaultControl, FaultHuge}
)

// FaultKinds returns all kinds.
func FaultKinds() []FaultKind { return slices.Concat(replacing, bending) }

// A Fault is something that goes wrong with coming requests. Of several armed
// for a path, the one armed first strikes.
type Fault struct {
	Path  string    // API path; default "*": every path
	Kind  FaultKind // required
	Times int       // how often it strikes; 0: until cleared

	// Delay is waited before the answer, in real time: the simulation's clock
	// does not move meanwhile. Default 0, for slow 1 s.
	Delay time.Duration

	// Probability is the chance that it strikes a request it is armed for, of
	// 1; the dice are seeded by Config.Seed. Default 0: always.
	Probability float64

	// After lets the request do its work before the answer is lost: a code is
	// spent although the client never learns what it bought.
	After bool

	ErrCode  int    // errcode: the code to answer; required there
	AsString bool   // errcode, busy, quotas: write "errcode":"40029"
	Location string // redirect: where to; default "/moved"
}

// worksFirst says whether the request's work is done before the fault strikes.
func (f Fault) worksFirst() bool {
	return f.After || slices.Contains(bending, f.Kind)
}

// check refuses what cannot be meant, and fills in the defaults.
func (f Fault) check() (Fault, error) {
	if f.Path == "" {
		f.Path = "*"
	}
	if f.Kind == FaultSlow && f.Delay == 0 {
		f.Delay = time.Second
	}
	if f.Kind == FaultRedirect && f.Location == "" {
		f.Location = "/moved"
	}
	switch {
	case !slices.Contains(replacing, f.Kind) && !slices.Contains(bending, f.Kind):
		return f, fmt.Errorf("%w: unknown kind %q", ErrBadFault, f.Kind)
	case f.Path != "*" && !strings.HasPrefix(f.Path, "/"):
		return f, fmt.Errorf(`%w: path %q is neither "*" nor begins with "/"`, ErrBadFault, f.Path)
	case f.Kind == FaultErrCode && f.ErrCode == 0:
		return f, fmt.Errorf("%w: errcode missing", ErrBadFault)
	case f.Times < 0 || f.Delay < 0:
		return f, fmt.Errorf("%w: times and delay cannot be negative", ErrBadFault)
	case f.Probability < 0 || f.Probability > 1:
		return f, fmt.Errorf("%w: probability %v is not within 0 to 1", ErrBadFault, f.Probability)
	}
	return f, nil
}

// A faultList is the faults armed, in the order of arming.
type faultList struct {
	mu    sync.Mutex
	armed []Fault
	dice  *rand.Rand
}

// take returns the fault that strikes a request to path now, if one does.
func (l *faultList) take(path string) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.armed {
		f := l.armed[i]
		if f.Path != "*" && f.Path != path {
			continue
		}
		if f.Probability > 0 && l.dice.Float64() >= f.Probability {
			continue
		}
		switch f.Times {
		case 0:
		case 1:
			l.armed = slices.Delete(l.armed, i, i+1)
		default:
			l.armed[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}

// Arm makes f strike requests from now on.
func (s *Sim) Arm(f Fault) error {
	f, err := f.check()
	if err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.armed = append(s.faults.armed, f)
	return nil
}

// Faults returns what is armed, Times being the strikes left.
func (s *Sim) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return slices.Clone(s.faults.armed)
}

// ClearFaults disarms everything. Requests that a fault holds back already
// stay held.
func (s *Sim) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.armed = nil
}
