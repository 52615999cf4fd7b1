package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// UpdateAttempts implements [auth.Store].
func (s *Store) UpdateAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) error {
	return s.redis.observed(ctx, opAttempts, u.Shard(), func() error {
		return s.redis.settle(ctx, u.Shard(), layout.UserName(s.redis.vault.Load(), u), func() (bool, error) {
			return s.editAttempts(ctx, u, edit)
		})
	})
}

// Attempts implements [auth.Store].
func (s *Store) Attempts(ctx context.Context, u auth.User) (*auth.Attempts, error) {
	attempts := new(auth.Attempts)
	err := s.redis.observed(ctx, opReadAttempts, u.Shard(), func() error {
		kept, err := s.readAttempts(ctx, u)
		if err != nil {
			return err
		}
		if a := s.redis.openAttempts(kept); session.AttemptsActive(a, s.now()) {
			attempts = a
		}
		return nil
	})
	return attempts, err
}

func (s *Store) editAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) (settled bool, err error) {
	kept, err := s.readAttempts(ctx, u)
	if err != nil {
		return false, err
	}
	attempts := s.redis.openAttempts(kept)
	edit(attempts)
	if attempts.Empty() && kept.record == "" && kept.erasedRecord == "" {
		return true, nil
	}
	st := step.New()
	st.Expect(kept.key, kept.record)
	if kept.erasedRecord != "" { // the user was erased, and logged in again
		st.Expect(kept.erasedKey, kept.erasedRecord)
		st.Delete(kept.erasedKey)
	}
	if attempts.Empty() {
		st.Delete(kept.key)
		return s.commit(ctx, st)
	}
	if err := s.putAttempts(st, kept.key, kept.user, attempts); err != nil {
		return false, err
	}
	return s.commit(ctx, st)
}

// storedAttempts are the records of a user's attempts in Redis; "" if there is none. Only one
// of them counts: that of the erased user, until the user tries again.
type storedAttempts struct {
	user, key, record               string
	erased, erasedKey, erasedRecord string
}

// readAttempts reads a user's attempts in one round trip.
func (s *Store) readAttempts(ctx context.Context, u auth.User) (storedAttempts, error) {
	r := s.redis
	v, shard := r.vault.Load(), u.Shard()
	kept := storedAttempts{user: layout.UserName(v, u), erased: layout.ErasedName(v.HashErased(u))}
	kept.key, kept.erasedKey = r.key(shard, "a", kept.user), r.key(shard, "a", kept.erased)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	res := r.client.DoMulti(ctx, r.client.B().Get().Key(kept.key).Build(), r.client.B().Get().Key(kept.erasedKey).Build())
	for i, record := range []*string{&kept.record, &kept.erasedRecord} {
		var err error
		if *record, err = res[i].ToString(); err != nil && !rueidis.IsRedisNil(err) {
			return kept, r.failed(err)
		}
	}
	return kept, nil
}

func (r *Client) openAttempts(kept storedAttempts) *auth.Attempts {
	if kept.record == "" {
		return r.vault.Load().OpenAttempts([]byte(kept.erased), []byte(kept.erasedRecord))
	}
	return r.vault.Load().OpenAttempts([]byte(kept.user), []byte(kept.record))
}

func (s *Store) putAttempts(st *step.Step, key, user string, attempts *auth.Attempts) error {
	sealed, err := s.redis.vault.Load().SealAttempts([]byte(user), attempts)
	if err != nil {
		return err
	}
	st.Set(key, string(sealed), attempts.Until().Sub(s.now()))
	return nil
}
