package redis

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// SessionKeys implements [auth.Store].
func (s *Store) SessionKeys(ctx context.Context, u auth.User) ([]auth.SessionKey, error) {
	var keys []auth.SessionKey
	err := s.redis.observed(ctx, opKeys, u.Shard(), func() error {
		user, err := s.readUser(ctx, u)
		if err != nil {
			return err
		}
		keys = user.SessionKeys(s.redis.vault.Load(), s.now())
		return nil
	})
	return keys, err
}

// PutSessionKey implements [auth.Store]. It does nothing for a user without a session, who
// cannot decrypt data.
func (s *Store) PutSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return s.changeKeys(ctx, opPutKey, u, func(old []auth.SessionKey) []auth.SessionKey {
		if key.Key == "" {
			return old
		}
		return session.PushKey(old, key)
	})
}

// DropSessionKey implements [auth.Store].
func (s *Store) DropSessionKey(ctx context.Context, u auth.User, key auth.SessionKey) error {
	return s.changeKeys(ctx, opDropKey, u, func(old []auth.SessionKey) []auth.SessionKey { return session.DropKey(old, key) })
}

func (s *Store) changeKeys(ctx context.Context, op string, u auth.User, change func([]auth.SessionKey) []auth.SessionKey) error {
	return s.redis.observed(ctx, op, u.Shard(), func() error {
		v := s.redis.vault.Load()
		return s.redis.settle(ctx, u.Shard(), layout.UserName(v, u), func() (bool, error) {
			user, err := s.readUser(ctx, u)
			if err != nil {
				return false, err
			}
			now := s.now()
			live, _ := user.Split(now)
			if len(live) == 0 {
				return true, nil
			}
			st := step.New()
			user.ExpectSessions(st)
			st.SetField(user.Index, layout.FieldVersion, layout.NewVersion())
			keys := change(user.SessionKeys(v, now))
			if err := user.PutKeys(st, v, keys, layout.LastEnd(live).Sub(now)); err != nil {
				return false, err
			}
			return s.commit(ctx, st)
		})
	})
}

// RevokeSession implements [auth.Store].
func (s *Store) RevokeSession(ctx context.Context, id auth.SessionID, until time.Time) error {
	return s.revoke(ctx, opRevoke, auth.Revocation{Session: id, Until: until})
}

// RevokeKey implements [auth.Store].
func (s *Store) RevokeKey(ctx context.Context, key auth.KeyID, until time.Time) error {
	return s.revoke(ctx, opRevokeKey, auth.Revocation{Key: key, Until: until})
}

func (s *Store) revoke(ctx context.Context, op string, rev auth.Revocation) error {
	return s.redis.observed(ctx, op, shardOf(rev), func() error {
		if !rev.Until.After(s.now()) {
			return nil // all of its tokens have expired
		}
		st := step.New()
		st.Ends = true
		_, err := s.commit(ctx, st, rev)
		return err
	})
}
