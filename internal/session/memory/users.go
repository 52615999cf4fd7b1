package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// SessionKeys implements [auth.Store].
func (m *Store) SessionKeys(ctx context.Context, u auth.User) ([]auth.SessionKey, error) {
	var keys []auth.SessionKey
	err := m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if m.live(u, now) {
			keys = slices.Clone(m.users[u].keys)
		}
		return nil, nil
	})
	return keys, err
}

// PutSessionKey implements [auth.Store]. For a user without a session it does
// nothing: the key could open no data.
func (m *Store) PutSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if user := m.users[u]; key.Key != "" && m.live(u, now) {
			user.keys = session.PushKey(user.keys, key)
		}
		return nil, nil
	})
}

// DropSessionKey implements [auth.Store].
func (m *Store) DropSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return m.step(ctx, func(time.Time) ([]auth.Revocation, error) {
		if user := m.users[u]; user != nil {
			user.keys = session.DropKey(user.keys, key)
		}
		return nil, nil
	})
}

// look returns a session that has not expired.
func (m *Store) look(ctx context.Context, id auth.SessionID) (stored *storedSession, err error) {
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		stored = m.sessions[id]
		if stored == nil || stored.Ended(now) {
			return nil, fmt.Errorf("%w: %s", auth.ErrNoSession, id)
		}
		return nil, nil
	})
	return stored, err
}

// live reports whether the user has a session that has not expired.
func (m *Store) live(u auth.User, now time.Time) bool {
	user := m.users[u]
	if user == nil {
		return false
	}
	for _, s := range user.sessions {
		if !s.Ended(now) {
			return true
		}
	}
	return false
}

// put stores a session, and replaces the session with the same ID.
func (m *Store) put(s *storedSession) {
	m.sessions[s.ID] = s
	user := m.users[s.User]
	if user == nil {
		user = &storedUser{sessions: make(map[auth.SessionID]*storedSession)}
		m.users[s.User] = user
	}
	user.sessions[s.ID] = s
}

// remove deletes a session and, with the last live session, the user's keys.
func (m *Store) remove(s *storedSession, now time.Time) {
	m.drop(s)
	if user := m.users[s.User]; user != nil && len(user.sessions) == 0 {
		delete(m.users, s.User)
	} else if !m.live(s.User, now) {
		m.forgetKeys(s.User)
	}
}

func (m *Store) drop(s *storedSession) {
	delete(m.sessions, s.ID)
	delete(m.users[s.User].sessions, s.ID)
}

func (m *Store) forgetKeys(u auth.User) {
	if user := m.users[u]; user != nil {
		user.keys = nil
	}
}

// makeRoom ends the sessions that must end before another one begins.
func (m *Store) makeRoom(next *auth.Session, limit auth.SessionLimit, now time.Time) (ended []auth.SessionID, revs []auth.Revocation) {
	live := m.liveSessions(next.User, now)
	for _, i := range session.Excess(len(live), func(i int) session.Class { return session.ClassOf(live[i].Session) }, session.ClassOf(next), limit) {
		m.drop(live[i]) // the user's keys stay for the session that replaces it
		ended = append(ended, live[i].ID)
		if rev, ok := session.LimitSession(live[i].ID, live[i].End(), live[i].AccessEnd, now, limit); ok {
			revs = append(revs, rev)
		}
	}
	for len(m.sessions) >= m.max {
		s := m.endsFirst()
		if s == nil {
			break
		}
		m.remove(s, now)
		if rev, ok := session.RevokeSession(s.ID, s.AccessEnd, now); ok {
			revs = append(revs, rev)
		}
	}
	return ended, revs
}

// endsFirst removes the session that will expire first from the timeline.
func (m *Store) endsFirst() *storedSession {
	for {
		id, ok := m.ends.TakeFirst()
		if !ok {
			return nil
		}
		s, ok := m.sessions[id]
		if !ok {
			continue // ended before its time
		}
		if next, more := m.ends.First(); more && s.End().After(next) {
			m.ends.Add(s.End(), id) // was extended: another may end first
			continue
		}
		return s
	}
}

// liveSessions returns a user's sessions that have not expired, oldest first.
func (m *Store) liveSessions(u auth.User, now time.Time) (live []*storedSession) {
	user := m.users[u]
	if user == nil {
		return nil
	}
	for _, s := range user.sessions {
		if !s.Ended(now) {
			live = append(live, s)
		}
	}
	slices.SortFunc(live, func(a, b *storedSession) int {
		return cmp.Or(a.ID.Began().Compare(b.ID.Began()), cmp.Compare(a.ID, b.ID))
	})
	return live
}
