package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/scan"
	"github.com/wxgate/wxgate/internal/session/redis/step"
	"github.com/wxgate/wxgate/internal/session/redis/userdata"
)

// Export calls do for every entry that has not ended: first for the revocations, so that an
// import never has a revoked session without its revocation. Entries that are written
// meanwhile may be missing, and an entry may appear twice.
func (s *Store) Export(ctx context.Context, do func(session.Entry) error) error {
	if err := s.redis.admit(ctx, 0); err != nil {
		return err
	}
	for _, rev := range s.redis.set.Active(s.now()) {
		if err := session.EmitEntry(ctx, do, session.Entry{Revocation: &rev}); err != nil {
			return session.Unavailable(err)
		}
	}
	return session.Unavailable(s.redis.eachSession(ctx, func(id auth.SessionID) error { return s.exportSession(ctx, do, id) }))
}

func (r *Client) servers() scan.Servers {
	return scan.Servers{Nodes: r.client.Nodes(), Timeout: r.cfg.Timeout, Prefix: r.cfg.Prefix}
}

// eachSession calls do for the session IDs of every master.
func (r *Client) eachSession(ctx context.Context, do func(auth.SessionID) error) error {
	servers := r.servers()
	masters, err := servers.Masters(ctx)
	if err != nil {
		return r.failed(err)
	}
	for _, master := range masters {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			var ids []auth.SessionID
			if ids, cursor, err = servers.Sessions(ctx, master, cursor, scan.Step); err != nil {
				return r.failed(err)
			}
			for _, id := range ids {
				if err := do(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// exportSession exports a session and, with the first of a user, the user's keys and
// attempts.
func (s *Store) exportSession(ctx context.Context, do func(session.Entry) error, id auth.SessionID) error {
	stored, outcome, err := s.readSession(ctx, id)
	if end, ok := layout.ParseReplaced(stored.sealed); ok && errors.Is(outcome, auth.ErrSessionReplaced) {
		return session.EmitEntry(ctx, do, session.Entry{Revocation: &auth.Revocation{Session: id, Until: end, Replaced: true}})
	}
	if err != nil || outcome != nil {
		return err // an ended session is not an error
	}
	if err := session.EmitEntry(ctx, do, session.Entry{Session: stored.Session}); err != nil {
		return err
	}
	user, err := s.readUser(ctx, stored.User)
	if err != nil {
		return err
	}
	now := s.now()
	if live, _ := user.Split(now); len(live) == 0 || live[0].ID != id {
		return nil
	}
	if keys := user.SessionKeys(s.redis.vault.Load(), now); len(keys) > 0 {
		if err := session.EmitEntry(ctx, do, session.Entry{User: stored.User, Keys: keys}); err != nil {
			return err
		}
	}
	kept, err := s.readAttempts(ctx, stored.User)
	if err != nil {
		return err
	}
	attempts := s.redis.openAttempts(kept)
	if !session.AttemptsActive(attempts, now) {
		return nil
	}
	return session.EmitEntry(ctx, do, session.Entry{User: stored.User, Attempts: attempts})
}

// Import writes an entry that another store exported. It returns
// [session.ErrOldSessionID] for a session whose ID does not contain its user's shard.
func (s *Store) Import(ctx context.Context, e session.Entry) error {
	if err := e.Check(); err != nil {
		return session.Unavailable(err)
	}
	switch {
	case e.Session != nil:
		return s.importSession(ctx, e.Session)
	case e.Keys != nil:
		return s.changeKeys(ctx, opImport, e.User, func(old []auth.SessionKey) []auth.SessionKey { return session.MergeKeys(old, e.Keys) })
	case e.Attempts != nil:
		return s.UpdateAttempts(ctx, e.User, func(a *auth.Attempts) { session.MergeAttempts(a, e.Attempts) })
	default:
		return s.importRevocation(ctx, *e.Revocation)
	}
}

func (s *Store) importSession(ctx context.Context, sess *auth.Session) error {
	shard := sess.User.Shard()
	if sess.ID.Shard() != shard {
		return fmt.Errorf("%w: %s", session.ErrOldSessionID, sess.ID)
	}
	return s.redis.observed(ctx, opImport, shard, func() error {
		return s.redis.settle(ctx, shard, string(sess.ID), func() (bool, error) {
			user, err := s.readUser(ctx, sess.User)
			if err != nil {
				return false, err
			}
			if s.isOver(user, sess) {
				return true, nil
			}
			stored, missing, err := s.readSession(ctx, sess.ID)
			switch {
			case err != nil:
				return false, err
			case errors.Is(missing, auth.ErrSessionReplaced):
				return true, nil
			case missing != nil:
				settled, _, err := s.create(ctx, user, stored.sealed, sess, auth.SessionKey{}, auth.SessionLimit{})
				return settled, err
			case session.IsNewer(sess, stored.Session):
				return s.carryOut(ctx, auth.Save, stored, sess)
			}
			return s.carryOut(ctx, auth.Keep, stored, sess)
		})
	})
}

// isOver reports whether a session has ended or was revoked, as far as this replica knows.
func (s *Store) isOver(user *userdata.User, sess *auth.Session) bool {
	id := &auth.Identity{User: sess.User, Session: sess.ID}
	return sess.Ended(s.now()) || s.redis.set.Revoked(id) || s.tooEarly(user, sess) != nil
}

// importRevocation first ends the sessions that the revocation covers, which an earlier
// import may have written; once revoked they would count as ended.
func (s *Store) importRevocation(ctx context.Context, rev auth.Revocation) error {
	if !rev.Until.After(s.now()) {
		return nil
	}
	if err := s.endRevoked(ctx, rev); err != nil {
		return err
	}
	return s.redis.observed(ctx, opImport, shardOf(rev), func() error {
		if s.redis.set.Contains(rev) {
			return nil
		}
		_, err := s.commit(ctx, step.New(), rev)
		return err
	})
}

func (s *Store) endRevoked(ctx context.Context, rev auth.Revocation) (err error) {
	ended := []auth.SessionID{rev.Session}
	if rev.User != (auth.User{}) {
		if ended, err = s.coveredBy(ctx, rev); err != nil {
			return err
		}
	}
	if rev.Erased != "" {
		if ended, err = s.ofErased(ctx, rev); err != nil {
			return err
		}
	}
	for _, id := range ended {
		err := s.Update(ctx, id, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil })
		if err != nil && !errors.Is(err, auth.ErrNoSession) {
			return err
		}
	}
	return nil
}

func (s *Store) coveredBy(ctx context.Context, rev auth.Revocation) (covered []auth.SessionID, err error) {
	user, err := s.readUser(ctx, rev.User)
	if err != nil {
		return nil, err
	}
	for _, sess := range user.Sessions {
		if session.Covers(rev.NotAfter, sess.ID) {
			covered = append(covered, sess.ID)
		}
	}
	return covered, nil
}
