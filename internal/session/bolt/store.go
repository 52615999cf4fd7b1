package bolt

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// Store is an [auth.Store] over a [File]. When a method returns nil, its changes are on the
// disk.
//
// Concurrent writes are committed together. A context is checked before a call begins; a
// write in progress is not canceled, since its caller could not learn whether it happened. It
// takes as long as the disk takes to sync.
type Store struct {
	file  *File
	now   func() time.Time
	vault session.Vault
	// resealed is true once the file is known to be readable with the newest root secret
	// alone.
	resealed atomic.Bool
}

// change is a write transaction as the methods of a store see it.
type change struct {
	tx     *bbolt.Tx
	file   *File
	recent recent.View
	vault  session.Vault
	now    time.Time
	wrote  bool
	// revoked are the revocations to put into effect after the commit.
	revoked []auth.Revocation
}

// write calls fn to change the file. fn may be called again, with a fresh change, and must
// then set all its results again.
func (s *Store) write(ctx context.Context, fn func(*change) error) (err error) {
	began := time.Now()
	defer func() { s.file.opts.Observe(ctx, "write", began, err) }()
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if err := s.file.sound(ctx); err != nil {
		return err
	}
	var revoked []auth.Revocation
	var wrote bool
	err = s.file.commits.Do(func(tx *bbolt.Tx) (bool, error) {
		c := &change{tx: tx, file: s.file, recent: s.file.recent.View(), vault: s.vault, now: s.now()}
		if err := fn(c); err != nil {
			return false, err
		}
		if c.wrote && !s.resealed.Load() {
			if err := c.reseal(); err != nil {
				return false, err
			}
		}
		revoked, wrote = c.revoked, c.wrote
		return wrote, nil
	})
	if err != nil {
		return err
	}
	if wrote {
		s.resealed.Store(true)
	}
	s.file.apply(revoked)
	return nil
}

// read calls fn to read the file.
func (s *Store) read(ctx context.Context, fn func(*change) error) (err error) {
	began := time.Now()
	defer func() { s.file.opts.Observe(ctx, "read", began, err) }()
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if err := s.file.sound(ctx); err != nil {
		return err
	}
	return s.view(fn)
}

// view calls fn to read buckets that were checked when the file was opened.
func (s *Store) view(fn func(*change) error) error {
	return session.Unavailable(database.Guard(auth.ErrStoreUnavailable, func() error {
		view := s.file.recent.View() // before the transaction
		return s.file.db.View(func(tx *bbolt.Tx) error {
			return fn(&change{tx: tx, file: s.file, recent: view, vault: s.vault, now: s.now()})
		})
	}))
}

// get copies a value: the result of bbolt is valid only during the transaction.
func (c *change) get(bucket, key []byte) []byte { return bytes.Clone(c.tx.Bucket(bucket).Get(key)) }

func (c *change) put(bucket, key, value []byte) error {
	c.wrote = true
	if err := c.tx.Bucket(bucket).Put(key, value); err != nil {
		return fmt.Errorf("writing to %s: %w", bucket, err)
	}
	return nil
}

func (c *change) delete(bucket, key []byte) error {
	c.wrote = true
	if err := c.tx.Bucket(bucket).Delete(key); err != nil {
		return fmt.Errorf("deleting from %s: %w", bucket, err)
	}
	return nil
}

// getSealed opens a record; nil if it does not exist.
func (c *change) getSealed(bucket, key []byte) ([]byte, error) {
	sealed := c.tx.Bucket(bucket).Get(key)
	if sealed == nil {
		return nil, nil
	}
	return c.vault.Open(bucket, key, sealed)
}

func (c *change) putSealed(bucket, key, record []byte) error {
	sealed, err := c.vault.Seal(bucket, key, record)
	if err != nil {
		return err
	}
	return c.put(bucket, key, sealed)
}
