package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// indexKey opens the key of user hashes with the root secrets of box, and creates the key for a
// file that has none.
//
// It writes nothing to a file that has a key, because the configuration may still fail. The
// first write of a [Store] seals again what was sealed with an older root secret.
func (f *File) indexKey(box *seal.Box) ([]byte, error) {
	var sealed []byte
	err := database.Guard(auth.ErrStoreUnavailable, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			c := &change{tx: tx}
			sealed = c.get(layout.Meta, layout.MetaIndex)
			return nil
		})
	})
	if err != nil {
		return nil, session.Unavailable(err)
	}
	if sealed == nil {
		return f.newIndexKey(box)
	}
	index, err := session.Vault{Box: box}.Open(layout.Meta, layout.MetaIndex, sealed)
	if err == nil {
		return index, nil
	}
	empty, emptyErr := f.isEmpty()
	switch {
	case emptyErr != nil:
		return nil, emptyErr
	case empty:
		return f.newIndexKey(box) // nothing in the file needs the old key
	case errors.Is(err, session.ErrOtherSecret):
		return nil, fmt.Errorf("%w: %s: %s", session.ErrOtherSecret, f.path, database.AdviseSecret)
	}
	return nil, fmt.Errorf("%s: %w: %s", f.path, err, database.AdviseCorrupt)
}

func (f *File) newIndexKey(box *seal.Box) ([]byte, error) {
	if err := f.sound(context.Background()); err != nil {
		return nil, err
	}
	index := session.NewIndexKey()
	err := f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
		c := &change{tx: tx, vault: session.Vault{Box: box, IndexKey: index}}
		return true, c.sealIndex()
	})
	if err != nil {
		return nil, fmt.Errorf("creating the index key of %s: %w", f.path, err)
	}
	return index, nil
}

// isEmpty reports whether the file has neither sessions nor revocations.
func (f *File) isEmpty() (empty bool, err error) {
	if err := f.sound(context.Background()); err != nil {
		return false, err
	}
	err = database.Guard(auth.ErrStoreUnavailable, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			sessions, _ := tx.Bucket(layout.Sessions).Cursor().First()
			revocations, _ := tx.Bucket(layout.Revocations).Cursor().First()
			empty = sessions == nil && revocations == nil
			return nil
		})
	})
	return empty, session.Unavailable(err)
}

// reseal makes the file readable with the newest root secret alone, as far as necessary: the
// index key, without which nothing is found, and the revocations, none of which may be lost.
// A session is sealed with the new secret when it is next written. A session that was not
// written before its old secret is removed from the configuration has ended.
func (c *change) reseal() error {
	if string(c.get(layout.Meta, layout.MetaSecret)) == c.vault.Box.ID() {
		return nil
	}
	if err := c.sealIndex(); err != nil {
		return err
	}
	var resealed []auth.Revocation
	err := c.eachRevocation(func(_ []byte, rev auth.Revocation) error {
		resealed = append(resealed, rev)
		return nil
	})
	if err != nil {
		return err
	}
	for _, rev := range resealed {
		key, err := c.revocationKey(rev)
		if err != nil {
			return err
		}
		if err := c.writeRevocation(key, rev); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) sealIndex() error {
	if err := c.putSealed(layout.Meta, layout.MetaIndex, c.vault.IndexKey); err != nil {
		return err
	}
	return c.put(layout.Meta, layout.MetaSecret, []byte(c.vault.Box.ID()))
}
