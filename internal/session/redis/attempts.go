package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// UpdateAttempts implements [auth.Store].
func (s *Store) UpdateAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) error {
	return s.redis.observed(ctx, opAttempts, u.Shard(), func() error {
		name := userName(s.redis.vault.Load(), u)
		return s.redis.settle(ctx, u.Shard(), name, func() (bool, error) {
			return s.editAttempts(ctx, s.redis.key(u.Shard(), "a", name), name, edit)
		})
	})
}

// Attempts implements [auth.Store].
func (s *Store) Attempts(ctx context.Context, u auth.User) (*auth.Attempts, error) {
	attempts := new(auth.Attempts)
	err := s.redis.observed(ctx, opReadAttempts, u.Shard(), func() error {
		name := userName(s.redis.vault.Load(), u)
		a, _, err := s.readAttempts(ctx, s.redis.key(u.Shard(), "a", name), name)
		if session.AttemptsActive(a, s.now()) {
			attempts = a
		}
		return err
	})
	return attempts, err
}

func (s *Store) editAttempts(ctx context.Context, key, user string, edit func(*auth.Attempts)) (settled bool, err error) {
	attempts, before, err := s.readAttempts(ctx, key, user)
	if err != nil {
		return false, err
	}
	edit(attempts)
	if attempts.Empty() && before == "" {
		return true, nil
	}
	st := newStep()
	st.holds(key, before)
	if attempts.Empty() {
		st.delete(key)
		return s.commit(ctx, st)
	}
	sealed, err := s.redis.vault.Load().SealAttempts([]byte(user), attempts)
	if err != nil {
		return false, err
	}
	st.set(key, string(sealed), attempts.Until().Sub(s.now()))
	return s.commit(ctx, st)
}

// readAttempts also returns the record itself; "" if there is none.
func (s *Store) readAttempts(ctx context.Context, key, user string) (attempts *auth.Attempts, record string, err error) {
	r := s.redis
	record, err = r.client.Send(ctx, r.client.B().Get().Key(key).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, "", r.failed(err)
	}
	return r.vault.Load().OpenAttempts([]byte(user), []byte(record)), record, nil
}
