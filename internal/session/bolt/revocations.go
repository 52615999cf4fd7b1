package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// RevokeSession implements [auth.Store].
func (s *Store) RevokeSession(ctx context.Context, id auth.SessionID, until time.Time) error {
	return s.revoke(ctx, auth.Revocation{Session: id, Until: until})
}

// RevokeKey implements [auth.Store].
func (s *Store) RevokeKey(ctx context.Context, key auth.KeyID, until time.Time) error {
	return s.revoke(ctx, auth.Revocation{Key: key, Until: until})
}

func (s *Store) revoke(ctx context.Context, rev auth.Revocation) error {
	return s.write(ctx, func(c *change) error {
		if !rev.Until.After(c.now) {
			return nil // all of its tokens have expired
		}
		return c.revoke(rev)
	})
}

// loadRevocations puts the revocations of the file into effect. It does not wait for the
// check of all pages.
func (s *Store) loadRevocations() error {
	return s.view(func(c *change) error {
		return c.eachRevocation(func(_ []byte, rev auth.Revocation) error {
			s.file.set.Add(rev)
			return nil
		})
	})
}

// revoke stores a revocation, merged with a stored one if there is one, and puts it into
// effect after the commit.
func (c *change) revoke(rev auth.Revocation) error {
	key, err := c.revocationKey(rev)
	if err != nil {
		return err
	}
	old, known, err := c.revocation(key)
	if err != nil {
		return err
	}
	if known {
		rev = session.MergeRevocations(old, rev)
		if err := c.delete(layout.Ends, append(layout.TimeKey(old.Until), key...)); err != nil {
			return err
		}
	}
	if err := c.writeRevocation(key, rev); err != nil {
		return err
	}
	if err := c.put(layout.Ends, append(layout.TimeKey(rev.Until), key...), nil); err != nil {
		return err
	}
	c.revoked = append(c.revoked, rev)
	return nil
}

// revocation reads a revocation by its key.
func (c *change) revocation(key []byte) (rev auth.Revocation, known bool, err error) {
	record, err := c.getSealed(layout.Revocations, key)
	if err != nil || record == nil {
		return auth.Revocation{}, false, err
	}
	rev, err = session.DecodeRevocation(record)
	return rev, err == nil, err
}

func (c *change) writeRevocation(key []byte, rev auth.Revocation) error {
	record, err := session.EncodeRevocation(rev)
	if err != nil {
		return err
	}
	return c.putSealed(layout.Revocations, key, record)
}

func (c *change) revocationKey(rev auth.Revocation) ([]byte, error) {
	switch {
	case rev.Session != "":
		id, err := layout.SessionKey(rev.Session)
		return append([]byte{layout.TagSession}, id...), err
	case rev.Key != "":
		return append([]byte{layout.TagKey}, rev.Key...), nil
	case rev.Erased != "":
		return erasedKey(rev.Erased), nil
	default:
		return append([]byte{layout.TagUser}, c.vault.HashUser(rev.User)...), nil
	}
}

// eachRevocation visits the revocations that are in effect; visit must not write to their
// bucket. An unreadable revocation is an error: without it, a stolen token would be accepted
// again.
func (c *change) eachRevocation(visit func(key []byte, rev auth.Revocation) error) error {
	cursor := c.tx.Bucket(layout.Revocations).Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		rev, known, err := c.revocation(key)
		if err != nil {
			if err := c.unreadable(key, err); err != nil {
				return err
			}
			continue
		}
		if !known || !rev.Until.After(c.now) {
			continue
		}
		if err := visit(key, rev); err != nil {
			return err
		}
	}
	return nil
}

// unreadable returns the error for an unreadable revocation, and nil if it has expired. Only
// the index of ends shows when it ends, so the whole index is read.
func (c *change) unreadable(key []byte, cause error) error {
	cursor := c.tx.Bucket(layout.Ends).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) <= layout.TimeBytes || !bytes.Equal(k[layout.TimeBytes:], key) {
			continue
		}
		ends := layout.KeyTime(k)
		switch {
		case !ends.After(c.now):
			return nil
		case errors.Is(cause, session.ErrOtherSecret):
			return fmt.Errorf("%w: a revocation that ends at %v: %s", session.ErrOtherSecret, ends.UTC(), database.AdviseSecret)
		default:
			return fmt.Errorf("%w: a revocation that ends at %v: %w: %s", session.ErrCorrupt, ends.UTC(), cause, database.AdviseCorrupt)
		}
	}
	return fmt.Errorf("%w: a revocation without an end: %w: %s", session.ErrCorrupt, cause, database.AdviseCorrupt)
}
