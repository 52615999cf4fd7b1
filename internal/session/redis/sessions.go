package redis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
	"github.com/wxgate/wxgate/internal/session/redis/userdata"
)

// Create implements [auth.Store]. The session's ID must contain its user's shard, as one made
// by [auth.NewSessionID] does.
func (s *Store) Create(ctx context.Context, sess *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (ended []auth.SessionID, err error) {
	shard := sess.User.Shard()
	if sess.ID.Shard() != shard {
		return nil, session.Unavailable(errOtherShard)
	}
	var outcome error
	err = s.redis.observed(ctx, opCreate, shard, func() error {
		lock := layout.UserName(s.redis.vault.Load(), sess.User)
		return s.redis.settle(ctx, shard, lock, func() (bool, error) {
			user, err := s.readUser(ctx, sess.User)
			if err != nil {
				return false, err
			}
			if outcome = s.tooEarly(user, sess); outcome != nil {
				return true, nil //nolint:nilerr // the outcome is returned to the caller; Redis did not fail
			}
			var settled bool
			settled, ended, err = s.create(ctx, user, "", sess, key, limit)
			return settled, err
		})
	})
	if err == nil {
		err = outcome
	}
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// tooEarly checks the revocations of the user in Redis and in this replica, which may know a
// revocation that a failover of Redis lost.
func (s *Store) tooEarly(user *userdata.User, sess *auth.Session) error {
	notAfter := session.Later(s.redis.set.NotAfter(sess.User), user.RevokedUntil())
	if notAfter.IsZero() || !session.Covers(notAfter, sess.ID) {
		return nil
	}
	return &auth.CreatedTooEarlyError{NotAfter: notAfter}
}

// create writes a session. It may replace a session that has ended or cannot be read.
func (s *Store) create(ctx context.Context, user *userdata.User, was string, sess *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (settled bool, ended []auth.SessionID, err error) {
	now, v := s.now(), s.redis.vault.Load()
	st := step.New()
	user.ExpectSessions(st)
	user.ExpectRevocations(st)
	st.Expect(s.redis.sessionKey(sess.ID), was)
	keys := user.SessionKeys(v, now)
	live, expired := user.Split(now)
	for _, old := range expired {
		st.DeleteField(user.Index, string(old.ID))
	}
	live, ended, revs := s.makeRoom(st, user, live, sess, limit)
	if len(ended) > 0 {
		user.Uncount(st, ended, live)
	}
	if err := s.putSession(st, layout.UserName(v, sess.User), sess, now); err != nil {
		return false, nil, err
	}
	if key.Key != "" {
		keys = session.PushKey(keys, key)
	}
	life := session.Later(layout.LastEnd(live), sess.End()).Sub(now)
	if err := user.PutKeys(st, v, keys, life); err != nil {
		return false, nil, err
	}
	settled, err = s.commit(ctx, st, revs...)
	return settled, ended, err
}

// makeRoom ends the oldest of the user's sessions, so that the limit allows one more.
func (s *Store) makeRoom(st *step.Step, user *userdata.User, live []layout.IndexedSession, next *auth.Session, limit auth.SessionLimit) (left []layout.IndexedSession, ended []auth.SessionID, revs []auth.Revocation) {
	now := s.now()
	for _, i := range session.Excess(len(live), func(i int) session.Class { return live[i].Class }, session.ClassOf(next), limit) {
		old := live[i]
		ended = append(ended, old.ID)
		if limit.Sessions > 0 {
			st.Set(s.redis.sessionKey(old.ID), layout.Replaced(old.End), old.End.Sub(now))
		} else {
			st.Delete(s.redis.sessionKey(old.ID))
		}
		st.DeleteField(user.Index, string(old.ID))
		// The key of a replaced session says so even after its last access token, so the
		// revocation need not be kept that long.
		if old.AccessEnd.After(now) {
			rev, _ := session.LimitSession(old.ID, old.AccessEnd, old.AccessEnd, now, limit)
			revs = append(revs, rev)
		}
	}
	left = slices.DeleteFunc(slices.Clone(live), func(s layout.IndexedSession) bool { return slices.Contains(ended, s.ID) })
	return left, ended, revs
}

// Session implements [auth.Store].
func (s *Store) Session(ctx context.Context, id auth.SessionID) (*auth.Session, error) {
	if _, err := auth.ParseSessionID(string(id)); err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrNoSession, err)
	}
	var stored storedSession
	var outcome error
	err := s.redis.observed(ctx, opSession, id.Shard(), func() (err error) {
		stored, outcome, err = s.readSession(ctx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if outcome != nil {
		return nil, outcome
	}
	return stored.Session, nil
}

// Update implements [auth.Store]. decide may be called more than once, and never at the same
// time as another update of the session in this process.
func (s *Store) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	if _, err := auth.ParseSessionID(string(id)); err != nil {
		return fmt.Errorf("%w: %w", auth.ErrNoSession, err)
	}
	var outcome error
	err := s.redis.observed(ctx, opUpdate, id.Shard(), func() error {
		return s.redis.settle(ctx, id.Shard(), string(id), func() (settled bool, err error) {
			var stored storedSession
			stored, outcome, err = s.readSession(ctx, id)
			if err != nil || outcome != nil {
				return true, err
			}
			after := session.CloneSession(stored.Session)
			var verdict auth.Verdict
			verdict, outcome = decide(after)
			session.KeepIdentity(after, stored.Session)
			return s.carryOut(ctx, verdict, stored, after)
		})
	})
	if err != nil {
		return err
	}
	return outcome
}

func (s *Store) carryOut(ctx context.Context, verdict auth.Verdict, stored storedSession, after *auth.Session) (settled bool, err error) {
	st := step.New()
	st.Expect(stored.key, stored.sealed)
	switch verdict {
	case auth.Save:
		user := layout.UserName(s.redis.vault.Load(), after.User)
		if err := s.putSession(st, user, after, s.now()); err != nil {
			return false, err
		}
		return s.commit(ctx, st)
	case auth.End:
		return s.end(ctx, st, stored, after)
	default:
		return true, nil
	}
}

// end deletes a session and, if it is the last of its user, the session keys.
func (s *Store) end(ctx context.Context, st *step.Step, stored storedSession, after *auth.Session) (settled bool, err error) {
	now := s.now()
	user, err := s.readUser(ctx, after.User)
	if err != nil {
		return false, err
	}
	st.Ends = true
	user.ExpectSessions(st)
	st.Delete(stored.key)
	live, expired := user.Split(now)
	live = slices.DeleteFunc(live, func(other layout.IndexedSession) bool { return other.ID == after.ID })
	user.Uncount(st, []auth.SessionID{after.ID}, live)
	if len(live) == 0 {
		user.DeleteIndex(st)
		st.Delete(user.Keys)
	} else {
		st.SetField(user.Index, layout.FieldVersion, layout.NewVersion())
		st.DeleteField(user.Index, string(after.ID))
		for _, old := range expired {
			st.DeleteField(user.Index, string(old.ID))
		}
	}
	if rev, ok := session.RevokeSession(after.ID, after.AccessEnd, now); ok {
		return s.commit(ctx, st, rev)
	}
	return s.commit(ctx, st)
}

// EndUser implements [auth.Store].
func (s *Store) EndUser(ctx context.Context, u auth.User, at, until time.Time) (ended int, err error) {
	err = s.redis.observed(ctx, opEndUser, u.Shard(), func() error {
		return s.redis.settle(ctx, u.Shard(), layout.UserName(s.redis.vault.Load(), u), func() (bool, error) {
			user, err := s.readUser(ctx, u)
			if err != nil {
				return false, err
			}
			now := s.now()
			rev := session.RevokeUser(u, at, until, now)
			live, _ := user.Split(now)
			ended = len(live)
			st := step.New()
			st.Ends = true
			user.ExpectSessions(st)
			for _, sess := range user.Sessions {
				session.ExtendRevocation(&rev, sess.ID, sess.AccessEnd)
				st.Delete(s.redis.sessionKey(sess.ID))
			}
			user.DeleteIndex(st)
			user.UncountAll(st)
			st.Delete(user.Keys)
			return s.commit(ctx, st, rev)
		})
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}
