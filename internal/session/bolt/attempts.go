package bolt

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
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
	// A file written by an older wxgate does not have the bucket.
	if _, err := c.tx.CreateBucketIfNotExists(layout.Attempts); err != nil {
		return fmt.Errorf("creating bucket %s: %w", layout.Attempts, err)
	}
	user := c.vault.HashUser(u)
	attempts, err := c.takeAttempts(user)
	if err != nil {
		return err
	}
	if attempts.Empty() { // the user may have been erased, and logged in again
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
	before := c.get(layout.Attempts, user)
	if len(before) <= layout.TimeBytes {
		return new(auth.Attempts), nil
	}
	return c.vault.OpenAttempts(user, before[layout.TimeBytes:]), c.deleteAttempts(user, before)
}

// attempts reads a user's attempts, without changing the file.
func (c *change) attempts(user []byte) *auth.Attempts {
	bucket := c.tx.Bucket(layout.Attempts)
	if bucket == nil {
		return new(auth.Attempts)
	}
	value := bucket.Get(user)
	if len(value) <= layout.TimeBytes {
		return new(auth.Attempts)
	}
	return c.vault.OpenAttempts(user, value[layout.TimeBytes:])
}

// putAttempts writes a record with its end in front, which a sweep reads without a root
// secret.
func (c *change) putAttempts(user []byte, a *auth.Attempts) error {
	sealed, err := c.vault.SealAttempts(user, a)
	if err != nil {
		return err
	}
	value := append(layout.TimeKey(a.Until()), sealed...)
	if err := c.put(layout.Attempts, user, value); err != nil {
		return err
	}
	return c.put(layout.Ends, attemptsEnd(user, value), nil)
}

func (c *change) deleteAttempts(user, value []byte) error {
	if err := c.delete(layout.Ends, attemptsEnd(user, value)); err != nil {
		return err
	}
	return c.delete(layout.Attempts, user)
}

// attemptsEnd is the key in the index of ends.
func attemptsEnd(user, value []byte) []byte {
	return append(append(bytes.Clone(value[:layout.TimeBytes]), layout.TagAttempts), user...)
}
