// Package storage reads and writes what wxgate keeps in Caddy's storage: the generated root
// secret, and the signing keys unless a shared store has them.
package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/caddyserver/certmagic"
)

// The names of the values in Caddy's storage.
const (
	KeysName   = "wxgate/keys"        // the signing keys, sealed
	SecretName = "wxgate/root_secret" // the generated root secret
)

// KeysValue is the name of the signing keys in a shared store.
const KeysValue = "keys"

// Item is one value in Caddy's storage, which may be a directory or a storage that
// several machines share.
type Item struct {
	Storage certmagic.Storage
	Name    string
}

// Load returns the value, or nil if there is none.
func (i Item) Load(ctx context.Context) ([]byte, error) {
	value, err := i.Storage.Load(ctx, i.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s from Caddy's storage: %w", i.Name, err)
	}
	return value, nil
}

// Update changes the value under the storage's lock. A change that fails, or that changes
// nothing, writes nothing.
//
// At most starts and reloads nothing changes. Update finds that out without the lock,
// because a process that was killed while it held the lock leaves it locked, and others
// wait ten seconds until the lock counts as stale.
func (i Item) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	if changed, err := i.try(ctx, change); err != nil || changed == nil {
		return err
	}
	return i.updateLocked(ctx, change)
}

func (i Item) updateLocked(ctx context.Context, change func(old []byte) ([]byte, error)) (err error) {
	if err := i.Storage.Lock(ctx, i.Name); err != nil {
		// If the lock cannot create its directory, its error only says that it does not exist.
		return fmt.Errorf("locking %s in Caddy's storage, which must be writable (storage in the global options, or XDG_DATA_HOME, says where it is): %w", i.Name, err)
	}
	defer func() {
		// Unlock even if ctx has ended.
		err = errors.Join(err, i.Storage.Unlock(context.WithoutCancel(ctx), i.Name))
	}()
	changed, err := i.try(ctx, change)
	if err != nil || changed == nil {
		return err
	}
	if err := i.Storage.Store(ctx, i.Name, changed); err != nil {
		return fmt.Errorf("writing %s to Caddy's storage: %w", i.Name, err)
	}
	return nil
}

// try returns the changed value, or nil if nothing changes.
func (i Item) try(ctx context.Context, change func(old []byte) ([]byte, error)) ([]byte, error) {
	old, err := i.Load(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := change(old)
	if err != nil || string(changed) == string(old) {
		return nil, err
	}
	return changed, nil
}

// RootSecret returns the generated root secret. At the first start it generates it, and made is
// true. The secret is a line of text, so that a configuration can name its file ({file.X}) as the
// old secret when the operator rotates it.
func RootSecret(ctx context.Context, storage certmagic.Storage) (root []byte, made bool, err error) {
	i := Item{storage, SecretName}
	if root, err = i.Load(ctx); err != nil || root != nil {
		return root, false, err
	}
	err = i.Update(ctx, func(old []byte) ([]byte, error) {
		if old != nil { // another process was first
			root, made = old, false
			return nil, nil
		}
		root, made = []byte(rand.Text()+rand.Text()), true // 260 bits
		return root, nil
	})
	return root, made, err
}
