package bolt

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// UpdateAttempts implements [auth.Store]. edit runs within the write: see
// [Store.Update].
func (s *Store) UpdateAttempts(ctx context.Context, u auth.User, edit func(*auth.Attempts)) error {
	return s.write(ctx, func(c *change) error { return c.updateAttempts(u, edit) })
}

// Attempts implements [auth.Store].
func (s *Store) Attempts(ctx context.Context, u auth.User) (*auth.Attempts, error) {
	attempts := new(auth.Attempts)
	err := s.read(ctx, func(c *change) error {
		a := c.attempts(c.vault.HashUser(u))
		if a.Empty() {
			a = c.attempts([]byte(c.vault.HashErased(u).Hash()))
		}
		if session.AttemptsActive(a, c.now) {
			attempts = a
		}
		return nil
	})
	return attempts, err
}

func (c *change) updateAttempts(u auth.User, edit func(*auth.Attempts)) error {
	// A file of an older wxgate does not have the bucket.
	if _, err := c.tx.CreateBucketIfNotExists(bucketAttempts); err != nil {
		return fmt.Errorf("creating bucket %s: %w", bucketAttempts, err)
	}
	user := c.vault.HashUser(u)
	attempts, err := c.takeAttempts(user)
	if err != nil {
		return err
	}
	if attempts.Empty() { // perhaps the user was erased, and came back
		if attempts, err = c.takeAttempts([]byte(c.vault.HashErased(u).Hash())); err != nil {
			return err
		}
	}
	edit(attempts)
	if attempts.Empty() {
		return nil
	}
	return c.putAttempts(user, attempts)
}

// takeAttempts reads and deletes a user's attempts.
func (c *change) takeAttempts(user []byte) (*auth.Attempts, error) {
	before := c.get(bucketAttempts, user)
	if len(before) <= timeKeyBytes {
		return new(auth.Attempts), nil
	}
	return c.vault.OpenAttempts(user, before[timeKeyBytes:]), c.deleteAttempts(user, before)
}

// attempts reads a user's attempts, without changing the file.
func (c *change) attempts(user []byte) *auth.Attempts {
	bucket := c.tx.Bucket(bucketAttempts)
	if bucket == nil {
		return new(auth.Attempts)
	}
	value := bucket.Get(user)
	if len(value) <= timeKeyBytes {
		return new(auth.Attempts)
	}
	return c.vault.OpenAttempts(user, value[timeKeyBytes:])
}

// putAttempts writes a record behind the time when it ends, which a sweep reads
// without a root secret.
func (c *change) putAttempts(user []byte, a *auth.Attempts) error {
	sealed, err := c.vault.SealAttempts(user, a)
	if err != nil {
		return err
	}
	value := append(timeKey(a.Until()), sealed...)
	if err := c.put(bucketAttempts, user, value); err != nil {
		return err
	}
	return c.put(bucketEnds, attemptsEnd(user, value), nil)
}

func (c *change) deleteAttempts(user, value []byte) error {
	if err := c.delete(bucketEnds, attemptsEnd(user, value)); err != nil {
		return err
	}
	return c.delete(bucketAttempts, user)
}

// attemptsEnd is the key in the index of ends.
func attemptsEnd(user, value []byte) []byte {
	return append(append(bytes.Clone(value[:timeKeyBytes]), tagAttempts), user...)
}
