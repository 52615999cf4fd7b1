package session

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Set is the [auth.Revocations] of a store: exact, in memory, asked on every
// request. It also knows the open streams; see [Set.Watch]. The zero value is
// not ready: use [NewSet]. It is safe for concurrent use.
type Set struct {
	// size counts the entries of every kind, so that an empty set, the usual
	// one, costs a request no lock.
	size atomic.Int64

	mu       sync.RWMutex
	sessions map[auth.SessionID]time.Time // until
	users    map[auth.User]userEntry
	keys     map[auth.KeyID]time.Time // until
	ends     Timeline[RevocationKey]
	watches  watches

	keyWatches map[*keyWatch]struct{}
}

type userEntry struct{ notAfter, until time.Time }

// RevocationKey names an entry, of whichever kind.
type RevocationKey struct {
	session auth.SessionID
	user    auth.User
	key     auth.KeyID
}

// RevocationKeyOf returns the key of a revocation.
func RevocationKeyOf(rev auth.Revocation) RevocationKey {
	return RevocationKey{session: rev.Session, user: rev.User, key: rev.Key}
}

// sweepStep is how many entries one sweep of the set forgets before it lets
// waiting requests by: a few thousand map operations take under a millisecond.
const sweepStep = 1000

// NewSet makes an empty set.
func NewSet() *Set {
	return &Set{
		sessions: make(map[auth.SessionID]time.Time),
		users:    make(map[auth.User]userEntry),
		keys:     make(map[auth.KeyID]time.Time),
		watches:  newWatches(),

		keyWatches: make(map[*keyWatch]struct{}),
	}
}

// Revoked reports whether id was ended before its token expires.
func (s *Set) Revoked(id *auth.Identity) bool {
	if s.size.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.matches(id)
}

func (s *Set) matches(id *auth.Identity) bool {
	if _, ok := s.sessions[id.Session]; ok {
		return true
	}
	if _, ok := s.keys[id.Key]; ok {
		return true
	}
	user, ok := s.users[id.User]
	// A forged session ID began at the zero time: covered.
	return ok && Covers(user.notAfter, id.Session)
}

// Add puts a revocation into effect: when it returns, [Set.Revoked] knows it. Adding it
// twice is adding it once; of two for one session, user or key the later times count.
//
// Watches that it matches are called in this goroutine, after the set is unlocked.
func (s *Set) Add(rev auth.Revocation) {
	s.mu.Lock()
	key := RevocationKeyOf(rev)
	if _, known := s.until(key); !known {
		s.ends.Add(rev.Until, key)
	}
	if rev.Session != "" {
		s.sessions[rev.Session] = Later(s.sessions[rev.Session], rev.Until)
	}
	if rev.User != (auth.User{}) {
		old := s.users[rev.User]
		s.users[rev.User] = userEntry{
			notAfter: Later(old.notAfter, rev.NotAfter),
			until:    Later(old.until, rev.Until),
		}
	}
	if rev.Key != "" {
		s.keys[rev.Key] = Later(s.keys[rev.Key], rev.Until)
	}
	s.count()
	ended := s.watches.claim(rev)
	var watches []*keyWatch
	if rev.Key != "" {
		watches = slices.Collect(maps.Keys(s.keyWatches))
	}
	s.mu.Unlock()
	for _, watch := range watches {
		watch.onRevoked()
	}
	for _, stream := range ended {
		stream.onRevoked()
	}
}

// Contains reports whether adding rev would change nothing.
func (s *Set) Contains(rev auth.Revocation) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	until, known := s.until(RevocationKeyOf(rev))
	return known && !rev.Until.After(until) && !rev.NotAfter.After(s.users[rev.User].notAfter)
}

// NotAfter is until when a user's sessions began that are revoked; the zero time
// when the user is not.
func (s *Set) NotAfter(u auth.User) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.users[u].notAfter
}

// Active returns the revocations that are in effect at now.
func (s *Set) Active(now time.Time) []auth.Revocation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	revs := make([]auth.Revocation, 0, s.size.Load())
	for id, until := range s.sessions {
		revs = append(revs, auth.Revocation{Session: id, Until: until})
	}
	for u, entry := range s.users {
		revs = append(revs, auth.Revocation{User: u, NotAfter: entry.notAfter, Until: entry.until})
	}
	for key, until := range s.keys {
		revs = append(revs, auth.Revocation{Key: key, Until: until})
	}
	return slices.DeleteFunc(revs, func(rev auth.Revocation) bool { return !rev.Until.After(now) })
}

// Sweep forgets what no valid token can match any more, and says how much.
func (s *Set) Sweep(now time.Time) int {
	forgotten := 0
	for more := true; more; {
		var n int
		n, more = s.sweepStep(now)
		forgotten += n
	}
	return forgotten
}

func (s *Set) sweepStep(now time.Time) (forgotten int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.count()
	for range sweepStep {
		key, ok := s.ends.Take(now)
		if !ok {
			return forgotten, false
		}
		if until, known := s.until(key); known && until.After(now) {
			s.ends.Add(until, key) // was prolonged
			continue
		}
		delete(s.sessions, key.session)
		delete(s.users, key.user)
		delete(s.keys, key.key)
		forgotten++
	}
	return forgotten, true
}

// until is when an entry ends.
func (s *Set) until(key RevocationKey) (until time.Time, known bool) {
	switch {
	case key.session != "":
		until, known = s.sessions[key.session]
	case key.key != "":
		until, known = s.keys[key.key]
	default:
		var entry userEntry
		entry, known = s.users[key.user]
		until = entry.until
	}
	return until, known
}

// Len returns the number of revocations in effect.
func (s *Set) Len() int { return int(s.size.Load()) }

// Watches returns the number of open responses that the set watches.
func (s *Set) Watches() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.watches.open
}

func (s *Set) count() {
	s.size.Store(int64(len(s.sessions) + len(s.users) + len(s.keys)))
}

// Interface guards
var _ auth.Revocations = (*Set)(nil)
