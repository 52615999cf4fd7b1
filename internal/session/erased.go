package session

import (
	"crypto/sha256"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// erasedUsers are the revocations of erased users, by the key of their hashes and the hash.
// All users that one store erased have the same key; a copy from another store adds that
// store's key. So a search for a user usually takes one hash, and none if no user was erased
// within the life of an access token.
type erasedUsers map[string]*erasedKey

type erasedKey struct {
	hasher  *auth.UserHasher
	entries map[string]erasedEntry // by hash
}

type erasedEntry struct {
	userEntry
	user auth.ErasedUser
}

// find finds the entry of a user by name.
func (e erasedUsers) find(u auth.User) (entry erasedEntry, ok bool) {
	for _, key := range e {
		var buffer [sha256.Size]byte
		if entry, ok = key.entries[string(key.hasher.Append(buffer[:0], u))]; ok {
			return entry, true
		}
	}
	return erasedEntry{}, false
}

// entry finds the entry of an erased user by hash.
func (e erasedUsers) entry(u auth.ErasedUser) (entry userEntry, ok bool) {
	key, ok := e[u.Key()]
	if !ok {
		return userEntry{}, false
	}
	found, ok := key.entries[u.Hash()]
	return found.userEntry, ok
}

// put adds the revocation of an erased user.
func (e erasedUsers) put(u auth.ErasedUser, rev auth.Revocation) {
	key, ok := e[u.Key()]
	if !ok {
		key = &erasedKey{hasher: auth.NewUserHasher(u.Key()), entries: make(map[string]erasedEntry)}
		e[u.Key()] = key
	}
	key.entries[u.Hash()] = erasedEntry{key.entries[u.Hash()].merge(rev), u}
}

// extend reports whether an erasure covers the revocation of a user by name, which then need
// not be kept. The erased user stays revoked at least until the end of rev.
func (e erasedUsers) extend(rev auth.Revocation) bool {
	entry, ok := e.find(rev.User)
	if !ok || rev.NotAfter.After(entry.notAfter) {
		return false
	}
	e.put(entry.user, rev)
	return true
}

func (e erasedUsers) all() iter.Seq2[auth.ErasedUser, userEntry] {
	return func(yield func(auth.ErasedUser, userEntry) bool) {
		for _, key := range e {
			for _, entry := range key.entries {
				if !yield(entry.user, entry.userEntry) {
					return
				}
			}
		}
	}
}

func (e erasedUsers) len() (n int) {
	for _, key := range e {
		n += len(key.entries)
	}
	return n
}

// addErased adds the revocation of an erased user and removes entries that name the user. A
// hash does not reveal the name, so addErased hashes every known user, while requests
// continue; users that are added afterwards find the entry.
func (s *Set) addErased(rev auth.Revocation) {
	s.mu.Lock()
	s.erased.put(rev.Erased, rev)
	s.count()
	known := slices.AppendSeq(slices.Collect(maps.Keys(s.users)), maps.Keys(s.watches.byUser))
	s.mu.Unlock()
	for _, u := range known {
		if !rev.Erased.Names(u) {
			continue
		}
		for _, stream := range s.forget(u, rev) {
			stream.onRevoked()
		}
	}
}

// forget removes a user by name whom an erasure covers, and returns the watches to call.
func (s *Set) forget(u auth.User, rev auth.Revocation) []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.count()
	if entry, ok := s.users[u]; ok && !entry.notAfter.After(rev.NotAfter) {
		s.erased.put(rev.Erased, auth.Revocation{Until: entry.until})
		delete(s.users, u)
	}
	return s.watches.claim(auth.Revocation{User: u, NotAfter: rev.NotAfter})
}

// IsErased reports whether rev names a user who was erased later.
func (s *Set) IsErased(rev auth.Revocation) bool {
	if s.size.Load() == 0 || rev.User == (auth.User{}) {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, ok := s.erased.find(rev.User)
	return ok && !rev.NotAfter.After(entry.notAfter)
}

// sweepErased must be called with s.mu held.
func (s *Set) sweepErased(now time.Time) (forgotten int) {
	for name, key := range s.erased {
		forgotten += sweepEntries(s, key.entries, func(entry erasedEntry) bool { return !entry.until.After(now) })
		if len(key.entries) == 0 {
			delete(s.erased, name)
		}
	}
	return forgotten
}
