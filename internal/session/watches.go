package session

import "github.com/wxgate/wxgate/internal/auth"

// watch is one open response (a WebSocket, server-sent events) and how to end it. It stays in
// the registry until it is claimed or stopped.
type watch struct {
	id        *auth.Identity
	onRevoked func()
}

type watchSet map[*watch]struct{}

// watches finds open responses by what a revocation names. It is guarded by the lock of its
// [Set].
type watches struct {
	bySession map[auth.SessionID]watchSet
	byUser    map[auth.User]watchSet
	byKey     map[auth.KeyID]watchSet
	open      int
}

func newWatches() watches {
	return watches{
		bySession: make(map[auth.SessionID]watchSet),
		byUser:    make(map[auth.User]watchSet),
		byKey:     make(map[auth.KeyID]watchSet),
	}
}

// Watch calls onRevoked when a revocation that matches id is added: at most once, and at once
// if id is already revoked. No revocation is missed between the check and the watch.
//
// onRevoked runs in the goroutine that revokes, with no lock held, so it may use the set. It
// must not block, or a logout waits for a slow client: cancel a context and return. stop ends
// the watch and may be called any number of times; it does not wait for a call of onRevoked
// in progress.
func (s *Set) Watch(id *auth.Identity, onRevoked func()) (stop func()) {
	w := &watch{id: id, onRevoked: onRevoked}
	s.mu.Lock()
	revoked := s.matches(id)
	if !revoked {
		s.watches.add(w)
	}
	s.mu.Unlock()
	if revoked {
		onRevoked()
		return func() {}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watches.remove(w)
	}
}

// WatchKeys calls onRevoked whenever a signing key is revoked, in the goroutine that revokes
// it or receives the revocation, with no lock held. onRevoked must not block. stop ends the
// watch.
func (s *Set) WatchKeys(onRevoked func()) (stop func()) {
	w := &keyWatch{onRevoked}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyWatches[w] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.keyWatches, w)
	}
}

// keyWatch is a callback for revocations of signing keys.
type keyWatch struct{ onRevoked func() }

func (s *watches) add(w *watch) {
	put(s.bySession, w.id.Session, w)
	if w.id.Parent != "" {
		put(s.bySession, w.id.Parent, w)
	}
	put(s.byUser, w.id.User, w)
	put(s.byKey, w.id.Key, w)
	s.open++
}

// remove reports whether the watch was still present: the caller that removes it ends the
// response.
func (s *watches) remove(w *watch) bool {
	if _, ok := s.bySession[w.id.Session][w]; !ok {
		return false
	}
	cut(s.bySession, w.id.Session, w)
	if w.id.Parent != "" {
		cut(s.bySession, w.id.Parent, w)
	}
	cut(s.byUser, w.id.User, w)
	cut(s.byKey, w.id.Key, w)
	s.open--
	return true
}

// claim removes and returns the watches of responses that a revocation ends.
func (s *watches) claim(rev auth.Revocation) []*watch {
	var matched []*watch
	if rev.Session != "" {
		matched = collect(matched, s.bySession[rev.Session])
	}
	if rev.Key != "" {
		matched = collect(matched, s.byKey[rev.Key])
	}
	if rev.User != (auth.User{}) {
		for w := range s.byUser[rev.User] {
			if Covers(rev.NotAfter, w.id.Session) {
				matched = append(matched, w)
			}
		}
	}
	ended := matched[:0]
	for _, w := range matched {
		if s.remove(w) {
			ended = append(ended, w)
		}
	}
	return ended
}

func collect(matched []*watch, set watchSet) []*watch {
	for w := range set {
		matched = append(matched, w)
	}
	return matched
}

func put[K comparable](index map[K]watchSet, key K, w *watch) {
	set, ok := index[key]
	if !ok {
		set = make(watchSet)
		index[key] = set
	}
	set[w] = struct{}{}
}

func cut[K comparable](index map[K]watchSet, key K, w *watch) {
	delete(index[key], w)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}
