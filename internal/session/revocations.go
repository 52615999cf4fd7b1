package session

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Set is the [auth.Revocations] of a store: exact, in memory, consulted on every request. It
// also knows the open responses; see [Set.Watch]. Create it with [NewSet]. It is safe for
// concurrent use.
type Set struct {
	// size counts the entries of every kind, so that a request takes no lock if the set is
	// empty, as it usually is.
	size atomic.Int64

	mu sync.RWMutex
	// sessions has an entry for each logout of the last hour, a million of them on a busy
	// day. Neither keys nor values have pointers, so the entries are small and the garbage
	// collector does not scan them.
	sessions map[[sessionIDBytes]byte]sessionEntry
	users    map[auth.User]userEntry
	erased   erasedUsers
	keys     map[auth.KeyID]time.Time // until
	watches  watches

	keyWatches map[*keyWatch]struct{}
}

const sessionIDBytes = 16

// sessionEntry is the time until which a session is revoked, in microseconds since 1970 and
// times 2, plus 1 if another session replaced it.
type sessionEntry int64

// sessionEntryOf rounds up: a revocation may last longer than a token, but not shorter.
func sessionEntryOf(rev auth.Revocation) sessionEntry {
	entry := sessionEntry(rev.Until.Add(time.Microsecond-1).UnixMicro()) * 2
	if rev.Replaced {
		entry++
	}
	return entry
}

func (e sessionEntry) until() time.Time { return time.UnixMicro(int64(e >> 1)) }

// merge returns the later time, and is replaced if either entry is: a later logout does not
// hide the reason.
func (e sessionEntry) merge(other sessionEntry) sessionEntry { return max(e, other) | (e|other)&1 }

func (e sessionEntry) replaced() bool { return e&1 == 1 }

type userEntry struct{ notAfter, until time.Time }

// merge returns the entry extended by a revocation.
func (e userEntry) merge(rev auth.Revocation) userEntry {
	return userEntry{notAfter: Later(e.notAfter, rev.NotAfter), until: Later(e.until, rev.Until)}
}

// RevocationKey identifies an entry of any kind.
type RevocationKey struct {
	session auth.SessionID
	user    auth.User
	erased  auth.ErasedUser
	key     auth.KeyID
}

// RevocationKeyOf returns the key of a revocation.
func RevocationKeyOf(rev auth.Revocation) RevocationKey {
	return RevocationKey{session: rev.Session, user: rev.User, erased: rev.Erased, key: rev.Key}
}

// sweepStep is how many entries a sweep of the set visits before it lets waiting requests
// proceed: a few thousand map operations take under a millisecond.
const sweepStep = 1000

// NewSet makes an empty set.
func NewSet() *Set {
	return &Set{
		sessions: make(map[[sessionIDBytes]byte]sessionEntry),
		users:    make(map[auth.User]userEntry),
		erased:   make(erasedUsers),
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

// Replaced reports whether a session was revoked because another one replaced it.
func (s *Set) Replaced(id auth.SessionID) bool {
	if s.size.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	session, ok := id.Bytes()
	return ok && s.sessions[session].replaced()
}

func (s *Set) matches(id *auth.Identity) bool {
	if s.has(id.Session) || id.Parent != "" && s.has(id.Parent) {
		return true
	}
	if _, ok := s.keys[id.Key]; ok {
		return true
	}
	user, ok := s.users[id.User]
	// A forged session ID began at the zero time, so it is covered.
	if ok && Covers(user.notAfter, id.Session) {
		return true
	}
	erased, ok := s.erased.find(id.User)
	return ok && Covers(erased.notAfter, id.Session)
}

// has reports whether a session was revoked.
func (s *Set) has(id auth.SessionID) bool {
	session, ok := id.Bytes()
	if ok {
		_, ok = s.sessions[session]
	}
	return ok
}

// Add puts a revocation into effect before it returns. Adding a revocation twice has no
// further effect; of two revocations for one session, user or key, the later times count.
//
// Matching watches are called in this goroutine, after the set is unlocked.
func (s *Set) Add(rev auth.Revocation) {
	if rev.Erased != "" {
		s.addErased(rev)
		return
	}
	s.mu.Lock()
	if session, ok := rev.Session.Bytes(); ok { // no token has any other ID
		s.sessions[session] = s.sessions[session].merge(sessionEntryOf(rev))
	}
	if rev.User != (auth.User{}) && !s.erased.extend(rev) {
		s.users[rev.User] = s.users[rev.User].merge(rev)
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
	switch {
	case rev.Session != "":
		session, ok := rev.Session.Bytes()
		until, known := s.sessions[session]
		return !ok || known && until.merge(sessionEntryOf(rev)) == until
	case rev.Key != "":
		until, known := s.keys[rev.Key]
		return known && !rev.Until.After(until)
	default:
		entry, known := s.users[rev.User]
		if rev.Erased != "" {
			entry, known = s.erased.entry(rev.Erased)
		}
		return known && !rev.Until.After(entry.until) && !rev.NotAfter.After(entry.notAfter)
	}
}

// NotAfter returns the time until which a user's sessions are revoked by their start; the
// zero time if the user is not revoked.
func (s *Set) NotAfter(u auth.User) time.Time { return s.OfUser(u).NotAfter }

// OfUser returns a revocation with everything known about the user's revocations, including
// erasures, under the user's name. Without any, its times are zero.
func (s *Set) OfUser(u auth.User) auth.Revocation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	erased, _ := s.erased.find(u)
	entry := s.users[u].merge(auth.Revocation{NotAfter: erased.notAfter, Until: erased.until})
	return auth.Revocation{User: u, NotAfter: entry.notAfter, Until: entry.until}
}

// Active returns the revocations that are in effect at now.
func (s *Set) Active(now time.Time) []auth.Revocation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	revs := make([]auth.Revocation, 0, s.size.Load())
	for id, entry := range s.sessions {
		revs = append(revs, auth.Revocation{Session: auth.SessionIDOf(id), Until: entry.until(), Replaced: entry.replaced()})
	}
	for u, entry := range s.users {
		revs = append(revs, auth.Revocation{User: u, NotAfter: entry.notAfter, Until: entry.until})
	}
	for e, entry := range s.erased.all() {
		revs = append(revs, auth.Revocation{Erased: e, NotAfter: entry.notAfter, Until: entry.until})
	}
	for key, until := range s.keys {
		revs = append(revs, auth.Revocation{Key: key, Until: until})
	}
	return slices.DeleteFunc(revs, func(rev auth.Revocation) bool { return !rev.Until.After(now) })
}

// Sweep forgets revocations that no valid token can match, and returns their number. It
// visits every entry: a timeline would take as much memory as the entries do.
func (s *Set) Sweep(now time.Time) (forgotten int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.count()
	return sweepEntries(s, s.sessions, func(entry sessionEntry) bool { return !entry.until().After(now) }) +
		sweepEntries(s, s.users, func(entry userEntry) bool { return !entry.until.After(now) }) +
		s.sweepErased(now) +
		sweepEntries(s, s.keys, func(until time.Time) bool { return !until.After(now) })
}

func sweepEntries[K comparable, V any](s *Set, entries map[K]V, over func(V) bool) (forgotten int) {
	looked := 0
	for key, value := range entries {
		if over(value) {
			delete(entries, key)
			forgotten++
		}
		if looked++; looked%sweepStep == 0 {
			s.mu.Unlock() // let waiting requests proceed
			s.mu.Lock()
		}
	}
	return forgotten
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
	s.size.Store(int64(len(s.sessions) + len(s.users) + s.erased.len() + len(s.keys)))
}

// Interface guards
var _ auth.Revocations = (*Set)(nil)
