package bolt

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// EndUser implements [auth.Store].
func (s *Store) EndUser(ctx context.Context, u auth.User, at, until time.Time) (ended int, err error) {
	err = s.write(ctx, func(c *change) error {
		ended = 0 // a commit may be tried again
		user := c.vault.HashUser(u)
		rev := session.RevokeUser(u, at, until, c.now)
		sessions := c.sessionsOf(user)
		for _, s := range sessions {
			session.ExtendRevocation(&rev, layout.SessionID(s.id), c.accessEnd(s))
			if e, ok := c.entry(s.id); ok && e.End.After(c.now) {
				ended++
			}
			if _, _, err := c.deleteSession(s.id); err != nil {
				return err
			}
		}
		return c.revoke(rev)
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}

// SessionKeys implements [auth.Store].
func (s *Store) SessionKeys(ctx context.Context, u auth.User) ([]auth.SessionKey, error) {
	var keys []auth.SessionKey
	err := s.read(ctx, func(c *change) error {
		user := c.vault.HashUser(u)
		keys = c.keysOf(user, c.sessionsOf(user))
		return nil
	})
	return keys, err
}

// PutSessionKey implements [auth.Store]. For a user without a session it does
// nothing: the key could open no data.
func (s *Store) PutSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return s.write(ctx, func(c *change) error {
		user := c.vault.HashUser(u)
		sessions := c.sessionsOf(user)
		if key.Key == "" || !c.live(sessions) {
			return nil
		}
		return c.replaceKeys(user, sessions, session.PushKey(c.keysOf(user, sessions), key))
	})
}

// DropSessionKey implements [auth.Store].
func (s *Store) DropSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return s.write(ctx, func(c *change) error {
		user := c.vault.HashUser(u)
		sessions := c.sessionsOf(user)
		keys := c.keysOf(user, sessions)
		kept := session.DropKey(keys, key)
		if len(kept) == len(keys) {
			return nil
		}
		return c.replaceKeys(user, sessions, kept)
	})
}
