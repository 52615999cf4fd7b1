package fault

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// A List has the faults that are armed, in the order of arming. Its methods are safe for
// concurrent use.
type List struct {
	mu    sync.Mutex
	armed []Fault
	dice  *rand.Rand

	done      chan struct{} // closed by Close; ends responses that hang
	closeOnce sync.Once
}

// New returns an empty list. The seed makes the dice of faults with a probability repeatable.
func New(seed uint64) *List {
	return &List{
		dice: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // G404: dice, to be repeatable
		done: make(chan struct{}),
	}
}

// Close ends every response that a timeout or slow fault delays, now and later.
func (l *List) Close() {
	l.closeOnce.Do(func() { close(l.done) })
}

// Take returns the fault that strikes a request to path now, if one does.
func (l *List) Take(path string) (Fault, bool) {
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

// Arm makes f strike requests from now on. The error is [ErrBad].
func (l *List) Arm(f Fault) error {
	f, err := f.check()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = append(l.armed, f)
	return nil
}

// Armed returns what is armed; its Times are the strikes that remain.
func (l *List) Armed() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.armed)
}

// Clear disarms everything. It does not release requests that a fault delays.
func (l *List) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = nil
}
