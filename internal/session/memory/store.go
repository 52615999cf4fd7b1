package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

// maxSessions bounds a [Store]: about 1 KiB for each session with its related data, so
// 100 MiB. When the store is full, a login ends the session that would expire first; its user
// logs in again silently.
const maxSessions = 100_000

// Store is an [auth.Store] that loses everything at a restart, for trials and tests. It is
// safe for concurrent use and waits only for its lock, so contexts are checked only before a
// call begins.
type Store struct {
	now  func() time.Time
	opts session.Options
	max  int
	set  *session.Set
	// vault seals cursors, with a key that is lost with the store.
	vault session.Vault

	sweeper session.Sweeper

	mu       sync.Mutex
	sessions map[auth.SessionID]*storedSession
	users    map[auth.User]*storedUser
	// revoked is read by Create under mu. Revocations are added to the set after mu is
	// unlocked, because the set calls the watches.
	// Like attempts, revoked outlives the user's erasure, so its keys are hashes.
	revoked map[auth.ErasedUser]auth.Revocation
	ends    session.Timeline[auth.SessionID]
	// attempts has users without a session, too.
	attempts map[auth.ErasedUser]auth.Attempts
	hashKey  []byte // of the hashes
}

// storedSession is never changed: an update replaces it, and thereby notices that another
// update came between.
type storedSession struct{ *auth.Session }

type storedUser struct {
	sessions map[auth.SessionID]*storedSession
	keys     []auth.SessionKey // a new slice with every change
}

// New returns an empty store; now is the clock that decides what has expired.
func New(now func() time.Time, opts session.Options) *Store {
	box, _ := seal.New(session.NewIndexKey()) // a key of that length is always valid
	return &Store{
		vault:    session.Vault{Box: box},
		now:      now,
		opts:     opts.WithDefaults(),
		max:      maxSessions,
		set:      session.NewSet(),
		sessions: make(map[auth.SessionID]*storedSession),
		users:    make(map[auth.User]*storedUser),
		revoked:  make(map[auth.ErasedUser]auth.Revocation),
		attempts: make(map[auth.ErasedUser]auth.Attempts),
		hashKey:  session.NewIndexKey(),
	}
}

// Revocations returns the set of the store's revocations that are in effect.
func (m *Store) Revocations() *session.Set { return m.set }

// Counts returns the numbers of sessions and users, including expired sessions that were not
// swept yet. They are always known.
func (m *Store) Counts(context.Context) (n session.Counts, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return session.Counts{Sessions: len(m.sessions), Users: len(m.users)}, true
}

// Create implements [auth.Store].
func (m *Store) Create(ctx context.Context, s *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (ended []auth.SessionID, err error) {
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if rev, ok := m.revoked[m.hash(s.User)]; ok && session.Covers(rev.NotAfter, s.ID) {
			return nil, &auth.CreatedTooEarlyError{NotAfter: rev.NotAfter}
		}
		if _, taken := m.sessions[s.ID]; taken {
			return nil, session.Unavailable(fmt.Errorf("duplicate session ID %s", s.ID))
		}
		if !m.live(s.User, now) {
			m.forgetKeys(s.User)
		}
		var revs []auth.Revocation
		ended, revs = m.makeRoom(s, limit, now)
		m.put(&storedSession{session.CloneSession(s)})
		m.ends.Add(s.End(), s.ID)
		if key.Key != "" {
			user := m.users[s.User]
			user.keys = session.PushKey(user.keys, key)
		}
		return revs, nil
	})
	return ended, err
}

// Session implements [auth.Store].
func (m *Store) Session(ctx context.Context, id auth.SessionID) (*auth.Session, error) {
	stored, err := m.look(ctx, id)
	if err != nil {
		return nil, err
	}
	return session.CloneSession(stored.Session), nil
}

// Update implements [auth.Store]. decide runs with no lock held, and again if another update
// of the session came between.
func (m *Store) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	for {
		stored, err := m.look(ctx, id)
		if err != nil {
			return err
		}
		s := session.CloneSession(stored.Session)
		verdict, decideErr := decide(s)
		session.KeepIdentity(s, stored.Session)
		settled := false
		err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
			if settled = m.sessions[id] == stored; !settled {
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

func (m *Store) carryOut(verdict auth.Verdict, s *auth.Session, now time.Time) []auth.Revocation {
	switch verdict {
	case auth.Keep:
	case auth.Save:
		m.put(&storedSession{s})
	case auth.End:
		m.remove(m.sessions[s.ID], now)
		if rev, ok := session.RevokeSession(s.ID, s.AccessEnd, now); ok {
			return []auth.Revocation{rev}
		}
	}
	return nil
}

// EndUser implements [auth.Store].
func (m *Store) EndUser(ctx context.Context, u auth.User, at, until time.Time) (ended int, err error) {
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		rev := session.RevokeUser(u, at, until, now)
		for id, s := range m.removeUser(u) {
			session.ExtendRevocation(&rev, id, s.AccessEnd)
			if s.End().After(now) {
				ended++
			}
		}
		return []auth.Revocation{m.revokeUser(m.hash(u), rev)}, nil
	})
	return ended, err
}

// RevokeSession implements [auth.Store].
func (m *Store) RevokeSession(ctx context.Context, id auth.SessionID, until time.Time) error {
	return m.revoke(ctx, auth.Revocation{Session: id, Until: until})
}

// RevokeKey implements [auth.Store].
func (m *Store) RevokeKey(ctx context.Context, key auth.KeyID, until time.Time) error {
	return m.revoke(ctx, auth.Revocation{Key: key, Until: until})
}

func (m *Store) revoke(ctx context.Context, rev auth.Revocation) error {
	return m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		if !rev.Until.After(now) {
			return nil, nil // all of its tokens have expired
		}
		return []auth.Revocation{rev}, nil
	})
}

// step is one atomic step. The revocations that it creates are in effect when it returns.
func (m *Store) step(ctx context.Context, do func(now time.Time) ([]auth.Revocation, error)) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
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
var _ auth.Store = (*Store)(nil)
