package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// maxMemorySessions bounds a [Memory]: about 1 KiB each with all that hangs on
// it, so 100 MiB. When it is full, a login ends the session that would end first
// by itself, whose user logs in again silently.
const maxMemorySessions = 100_000

// Memory is an [auth.Store] that a restart empties, for trials and tests. It is
// safe for concurrent use and never waits for anything but its lock, so contexts
// are looked at on the way in only.
type Memory struct {
	now  func() time.Time
	opts Options
	max  int
	set  *Set

	sweeper sweeper

	mu       sync.Mutex
	sessions map[auth.SessionID]*memorySession
	users    map[auth.User]*memoryUser
	// revoked is looked at by Create under mu; the set is told after mu is let
	// go, because it calls whoever watches a stream.
	revoked map[auth.User]auth.Revocation
	ends    timeline[auth.SessionID]
	// attempts hold users without a session, too.
	attempts map[auth.User]auth.Attempts
}

// memorySession is never changed: an update puts another in its place, which is
// how it notices that another update came between.
type memorySession struct{ *auth.Session }

type memoryUser struct {
	sessions map[auth.SessionID]*memorySession
	keys     []auth.SessionKey // a new slice with every change
}

// NewMemory makes an empty store; now is the clock that decides what has ended.
func NewMemory(now func() time.Time, opts Options) *Memory {
	return &Memory{
		now:      now,
		opts:     opts.withDefaults(),
		max:      maxMemorySessions,
		set:      NewSet(),
		sessions: make(map[auth.SessionID]*memorySession),
		users:    make(map[auth.User]*memoryUser),
		revoked:  make(map[auth.User]auth.Revocation),
		attempts: make(map[auth.User]auth.Attempts),
	}
}

// Revocations is the set that this store's revocations are in force in.
func (m *Memory) Revocations() *Set { return m.set }

// Create implements [auth.Store].
func (m *Memory) Create(ctx context.Context, s *auth.Session, key auth.SessionKey) error {
	return m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if rev, ok := m.revoked[s.User]; ok && covers(rev.NotAfter, s.ID) {
			return nil, &auth.CreatedTooEarlyError{NotAfter: rev.NotAfter}
		}
		if _, taken := m.sessions[s.ID]; taken {
			return nil, unavailable(fmt.Errorf("the session ID %s is taken", s.ID))
		}
		if !m.live(s.User, now) {
			m.forgetKeys(s.User)
		}
		ended := m.makeRoom(s.User, now)
		m.put(&memorySession{cloneSession(s)})
		m.ends.add(s.End(), s.ID)
		if key.Key != "" {
			user := m.users[s.User]
			user.keys = pushKey(user.keys, key)
		}
		return ended, nil
	})
}

// Session implements [auth.Store].
func (m *Memory) Session(ctx context.Context, id auth.SessionID) (*auth.Session, error) {
	held, err := m.look(ctx, id)
	if err != nil {
		return nil, err
	}
	return cloneSession(held.Session), nil
}

// Update implements [auth.Store]. decide runs with no lock held, and again when
// another update of the session came between.
func (m *Memory) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	for {
		held, err := m.look(ctx, id)
		if err != nil {
			return err
		}
		s := cloneSession(held.Session)
		verdict, decideErr := decide(s)
		keepIdentity(s, held.Session)
		settled := false
		err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
			if settled = m.sessions[id] == held; !settled {
				return nil, nil
			}
			return m.carryOut(verdict, s, now), nil
		})
		if err != nil {
			return err
		}
		if settled {
			return decideErr
		}
	}
}

func (m *Memory) carryOut(verdict auth.Verdict, s *auth.Session, now time.Time) []auth.Revocation {
	switch verdict {
	case auth.Keep:
	case auth.Save:
		m.put(&memorySession{s})
	case auth.End:
		m.remove(m.sessions[s.ID], now)
		if rev, ok := revokeSession(s.ID, s.AccessEnd, now); ok {
			return []auth.Revocation{rev}
		}
	}
	return nil
}

// EndUser implements [auth.Store].
func (m *Memory) EndUser(ctx context.Context, u auth.User, at, until time.Time) (ended int, err error) {
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		rev := revokeUser(u, at, until, now)
		if user, ok := m.users[u]; ok {
			for id, s := range user.sessions {
				reach(&rev, id, s.AccessEnd)
				if s.End().After(now) {
					ended++
				}
				delete(m.sessions, id)
			}
			delete(m.users, u)
		}
		if old, ok := m.revoked[u]; ok {
			rev = merge(old, rev)
		}
		m.revoked[u] = rev
		return []auth.Revocation{rev}, nil
	})
	return ended, err
}

// RevokeSession implements [auth.Store].
func (m *Memory) RevokeSession(ctx context.Context, id auth.SessionID, until time.Time) error {
	return m.revoke(ctx, auth.Revocation{Session: id, Until: until})
}

// RevokeKey implements [auth.Store].
func (m *Memory) RevokeKey(ctx context.Context, key auth.KeyID, until time.Time) error {
	return m.revoke(ctx, auth.Revocation{Key: key, Until: until})
}

func (m *Memory) revoke(ctx context.Context, rev auth.Revocation) error {
	return m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if !rev.Until.After(now) {
			return nil, nil // none of its tokens is still valid
		}
		return []auth.Revocation{rev}, nil
	})
}

// step is one atomic step. The revocations it made are in force when it returns.
func (m *Memory) step(ctx context.Context, do func(now time.Time) ([]auth.Revocation, error)) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	m.mu.Lock()
	revs, err := do(m.now())
	m.mu.Unlock()
	for _, rev := range revs {
		m.set.Add(rev)
	}
	return err
}

// Interface guards
var _ auth.Store = (*Memory)(nil)
