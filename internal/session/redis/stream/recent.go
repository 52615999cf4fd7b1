package stream

import (
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Recent has the new revocations of this and of other replicas. The zero value is empty.
type Recent struct {
	mu   sync.Mutex
	revs []learned // sorted by time
}

type learned struct {
	at  time.Time
	rev auth.Revocation
}

// Add adds a revocation, and removes those that are older than keep.
func (l *Recent) Add(rev auth.Revocation, keep time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(keep)
	if rev.Erased != "" { // entries that name the user must not be appended again
		l.revs = slices.DeleteFunc(l.revs, func(one learned) bool {
			return one.rev.User != (auth.User{}) && !one.rev.NotAfter.After(rev.NotAfter) && rev.Erased.Names(one.rev.User)
		})
	}
	l.revs = append(l.revs, learned{time.Now(), rev})
}

// forget removes revocations that are no longer recent. It must be called with l.mu held.
func (l *Recent) forget(keep time.Duration) {
	old := 0
	for old < len(l.revs) && time.Since(l.revs[old].at) > keep {
		old++
	}
	if l.revs = l.revs[old:]; len(l.revs) == 0 {
		l.revs = nil
	}
}

// List returns the revocations that were added less than keep ago.
func (l *Recent) List(keep time.Duration) []auth.Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(keep)
	revs := make([]auth.Revocation, len(l.revs))
	for i, one := range l.revs {
		revs[i] = one.rev
	}
	return revs
}
