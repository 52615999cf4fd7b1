package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// Create implements [auth.Store].
func (s *Store) Create(ctx context.Context, sess *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (ended []auth.SessionID, err error) {
	var early *auth.CreatedTooEarlyError
	err = s.write(ctx, func(c *change) error {
		early, ended = nil, nil
		user := c.vault.HashUser(sess.User)
		notAfter, err := c.revokedUntil(sess.User)
		if err != nil {
			return fmt.Errorf("reading the user's revocation: %w", err)
		}
		if !notAfter.IsZero() && session.Covers(notAfter, sess.ID) {
			early = &auth.CreatedTooEarlyError{NotAfter: notAfter}
			return nil
		}
		ended, err = c.create(user, sess, key, limit)
		return err
	})
	if err == nil && early != nil {
		return nil, early
	}
	return ended, err
}

func (c *change) create(user []byte, s *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (ended []auth.SessionID, err error) {
	id, err := layout.SessionKey(s.ID)
	if err != nil {
		return nil, err
	}
	if c.tx.Bucket(layout.Sessions).Get(id) != nil {
		return nil, fmt.Errorf("duplicate session ID %s", s.ID)
	}
	before := c.sessionsOf(user)
	keys := c.keysOf(user, before)
	if before, ended, err = c.makeRoom(before, s, limit); err != nil {
		return nil, err
	}
	if key.Key != "" {
		keys = session.PushKey(keys, key)
	}
	sealed, err := c.vault.SealKeys(layout.KeyPlace, user, keys)
	if err != nil {
		return nil, err
	}
	at := indexed{user: user[:layout.UserBytes], id: id}
	if len(before) == 0 || bytes.Compare(before[len(before)-1].id, id) < 0 {
		return ended, c.addSession(at, s, sealed, before)
	}
	// A clock went back, or this is an import: another session remains the newest.
	if err := c.addSession(at, s, nil, before); err != nil {
		return nil, err
	}
	return ended, c.putKeys(before, sealed)
}

// makeRoom ends a user's oldest sessions so that the limit allows another one, and returns the
// remaining ones. Expired sessions that were not swept yet do not count.
func (c *change) makeRoom(sessions []indexed, next *auth.Session, limit auth.SessionLimit) (left []indexed, ended []auth.SessionID, err error) {
	if session.Fits(len(sessions), limit) {
		return sessions, nil, nil // most logins: no entry is read
	}
	var live []indexed
	for _, s := range sessions {
		if e, ok := c.entry(s.id); ok && e.End.After(c.now) {
			live = append(live, s)
		}
	}
	classOf := func(i int) session.Class {
		e, _ := c.entry(live[i].id)
		s, err := c.openSession(live[i].id, e)
		if err != nil {
			return session.Class{}
		}
		return session.ClassOf(s)
	}
	for _, i := range session.Excess(len(live), classOf, session.ClassOf(next), limit) {
		id := live[i].id
		ended = append(ended, layout.SessionID(id))
		e, _ := c.entry(id)
		rev, ok := session.LimitSession(layout.SessionID(id), e.End, c.accessEnd(live[i]), c.now, limit)
		if _, _, err := c.deleteSession(id); err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		if err := c.revoke(rev); err != nil {
			return nil, nil, err
		}
	}
	left = slices.DeleteFunc(sessions, func(s indexed) bool { return slices.Contains(ended, layout.SessionID(s.id)) })
	return left, ended, nil
}

// Session implements [auth.Store].
func (s *Store) Session(ctx context.Context, id auth.SessionID) (*auth.Session, error) {
	var sess *auth.Session
	var outcome error
	err := s.read(ctx, func(c *change) error {
		sess, outcome = c.session(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sess, outcome
}

// Update implements [auth.Store]. decide runs within the write, while all other writes wait:
// it must not use the store, and not take long.
func (s *Store) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	var outcome error
	err := s.write(ctx, func(c *change) error {
		var before *auth.Session
		before, outcome = c.session(id)
		if outcome != nil {
			return nil //nolint:nilerr // the outcome is returned to the caller; the transaction did not fail
		}
		after := session.CloneSession(before)
		var verdict auth.Verdict
		verdict, outcome = decide(after)
		session.KeepIdentity(after, before)
		return c.carryOut(verdict, before, after)
	})
	if err != nil {
		return err
	}
	return outcome
}

func (c *change) carryOut(verdict auth.Verdict, before, after *auth.Session) error {
	if verdict != auth.Save && verdict != auth.End {
		return nil
	}
	id, err := layout.SessionKey(before.ID)
	if err != nil {
		return err
	}
	if verdict == auth.Save {
		return c.saveSession(id, after)
	}
	if err := c.endSession(id); err != nil {
		return err
	}
	if rev, ok := session.RevokeSession(after.ID, after.AccessEnd, c.now); ok {
		return c.revoke(rev)
	}
	return nil
}

// session reads a session that has not expired. An unreadable session counts as ended: its
// client logs in again silently, and any other error would lock it out.
func (c *change) session(id auth.SessionID) (*auth.Session, error) {
	key, err := layout.SessionKey(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrNoSession, err)
	}
	e, ok := c.entry(key)
	if !ok {
		return nil, fmt.Errorf("%w: %s", auth.ErrNoSession, id)
	}
	s, err := c.openSession(key, e)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read: %w", auth.ErrNoSession, id, err)
	}
	if s.Ended(c.now) {
		return nil, fmt.Errorf("%w: %s ended at %v", auth.ErrNoSession, id, s.End().UTC())
	}
	return s, nil
}

// Interface guards
var _ auth.Store = (*Store)(nil)
