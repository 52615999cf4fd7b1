package memory

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// Erase implements [auth.Store].
func (m *Store) Erase(ctx context.Context, u auth.User, at, until time.Time) (erased auth.Erased, err error) {
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		hash := m.hash(u)
		rev := session.RevokeErased(hash, at, until, now)
		if user := m.users[u]; m.live(u, now) {
			erased.SessionKeys = len(user.keys)
		}
		for id, s := range m.removeUser(u) {
			session.ExtendRevocation(&rev, id, s.AccessEnd)
			erased.Sessions++
		}
		_, erased.Attempts = m.attempts[hash]
		rev = m.revokeUser(hash, rev)
		erased.RevokedUntil = rev.Until
		return []auth.Revocation{rev}, nil
	})
	return erased, err
}

// hash returns the key of the records that outlive a user's erasure.
func (m *Store) hash(u auth.User) auth.ErasedUser { return auth.NewErasedUser(m.hashKey, u) }

// removeUser forgets a user's sessions and session keys, and returns the sessions.
func (m *Store) removeUser(u auth.User) map[auth.SessionID]*storedSession {
	user, ok := m.users[u]
	if !ok {
		return nil
	}
	for id := range user.sessions {
		delete(m.sessions, id)
	}
	delete(m.users, u)
	return user.sessions
}

// revokeUser keeps the revocation of a user, merged with an earlier one.
func (m *Store) revokeUser(hash auth.ErasedUser, rev auth.Revocation) auth.Revocation {
	rev = session.MergeRevocations(rev, m.revoked[hash])
	m.revoked[hash] = rev
	return rev
}
