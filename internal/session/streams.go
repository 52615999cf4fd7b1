package session

import "github.com/wxgate/wxgate/internal/auth"

// stream is one open response (a WebSocket, server-sent events) and how to end
// it. It is in the registry as long as nobody has claimed or stopped it.
type stream struct {
	id        *auth.Identity
	onRevoked func()
}

type streamSet map[*stream]struct{}

// streams finds open streams by what a revocation names. It is guarded by the
// lock of the [Set] it belongs to.
type streams struct {
	bySession map[auth.SessionID]streamSet
	byUser    map[auth.User]streamSet
	byKey     map[auth.KeyID]streamSet
	open      int
}

func newStreams() streams {
	return streams{
		bySession: make(map[auth.SessionID]streamSet),
		byUser:    make(map[auth.User]streamSet),
		byKey:     make(map[auth.KeyID]streamSet),
	}
}

// Watch has onRevoked called when a revocation is added that matches id: at most
// once, and at once when id is revoked already. No revocation falls between the
// look and the watch.
//
// It is called in the goroutine of whoever revokes, with no lock held, so it may
// use the set; it must not block, or a logout waits for a slow client: cancel a
// context and return. stop ends the watch and may be called any number of times;
// a call that is under way meanwhile is not waited for.
func (s *Set) Watch(id *auth.Identity, onRevoked func()) (stop func()) {
	w := &stream{id: id, onRevoked: onRevoked}
	s.mu.Lock()
	revoked := s.matches(id)
	if !revoked {
		s.streams.add(w)
	}
	s.mu.Unlock()
	if revoked {
		onRevoked()
		return func() {}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams.remove(w)
	}
}

// WatchKeys has onRevoked called whenever a signing key is revoked, in the
// goroutine of whoever revokes it or hears of it, with no lock held; it must not
// block. stop ends the watch.
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

// keyWatch is somebody who wants to know that a signing key was revoked.
type keyWatch struct{ onRevoked func() }

func (s *streams) add(w *stream) {
	put(s.bySession, w.id.Session, w)
	put(s.byUser, w.id.User, w)
	put(s.byKey, w.id.Key, w)
	s.open++
}

// remove reports whether the stream was still there: who takes it out ends it.
func (s *streams) remove(w *stream) bool {
	if _, ok := s.bySession[w.id.Session][w]; !ok {
		return false
	}
	cut(s.bySession, w.id.Session, w)
	cut(s.byUser, w.id.User, w)
	cut(s.byKey, w.id.Key, w)
	s.open--
	return true
}

// claim takes out the streams that a revocation ends.
func (s *streams) claim(rev auth.Revocation) []*stream {
	var matched []*stream
	if rev.Session != "" {
		matched = collect(matched, s.bySession[rev.Session])
	}
	if rev.Key != "" {
		matched = collect(matched, s.byKey[rev.Key])
	}
	if rev.User != (auth.User{}) {
		for w := range s.byUser[rev.User] {
			if covers(rev.NotAfter, w.id.Session) {
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

func collect(matched []*stream, set streamSet) []*stream {
	for w := range set {
		matched = append(matched, w)
	}
	return matched
}

func put[K comparable](index map[K]streamSet, key K, w *stream) {
	set, ok := index[key]
	if !ok {
		set = make(streamSet)
		index[key] = set
	}
	set[w] = struct{}{}
}

func cut[K comparable](index map[K]streamSet, key K, w *stream) {
	delete(index[key], w)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}
