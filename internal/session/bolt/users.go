package bolt

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// EndUser implements [auth.Store].
func (s *Store) EndUser(ctx context.Context, u auth.User, at, until time.Time) (ended int, err error) {
	err = s.write(ctx, func(c *change) error {
		ended = 0 // a commit may be tried again
		user := c.vault.HashUser(u)
		rev := session.RevokeUser(u, at, until, c.now)
		sessions := c.sessionsOf(user)
		for _, s := range sessions {
			session.ExtendRevocation(&rev, sessionID(s.id), c.accessEnd(s))
			if s.end.After(c.now) {
				ended++
			}
			if err := c.deleteSession(s); err != nil {
				return err
			}
		}
		if len(sessions) > 0 {
			if err := c.tidyUser(user); err != nil {
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
		return c.putKeys(user, session.PushKey(c.keysOf(user, sessions), key))
	})
}

// DropSessionKey implements [auth.Store].
func (s *Store) DropSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return s.write(ctx, func(c *change) error {
		user := c.vault.HashUser(u)
		keys := c.keysOf(user, c.sessionsOf(user))
		kept := session.DropKey(keys, key)
		if len(kept) == len(keys) {
			return nil
		}
		return c.putKeys(user, kept)
	})
}

// keysOf reads a user's session keys; none when all of the user's sessions are
// over. Keys that cannot be read are none: the next login brings a new one, where
// an error would keep the user out.
func (c *change) keysOf(user []byte, sessions []indexed) []auth.SessionKey {
	if !c.live(sessions) {
		return nil
	}
	record, err := c.getSealed(bucketKeys, user)
	if err != nil || record == nil {
		return nil
	}
	keys, err := session.DecodeKeys(record)
	if err != nil {
		return nil
	}
	return keys
}

func (c *change) putKeys(user []byte, keys []auth.SessionKey) error {
	if len(keys) == 0 {
		if c.tx.Bucket(bucketKeys).Get(user) == nil {
			return nil
		}
		return c.delete(bucketKeys, user)
	}
	record, err := session.EncodeKeys(keys)
	if err != nil {
		return err
	}
	return c.putSealed(bucketKeys, user, record)
}
