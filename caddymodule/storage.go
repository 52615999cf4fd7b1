package caddymodule

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/caddyserver/certmagic"
)

const (
	keysItem   = "wxgate/keys"        // the signing keys, sealed
	secretItem = "wxgate/root_secret" // the generated root secret
)

// item is one value in Caddy's storage, which may be a directory, or something
// that several machines share.
type item struct {
	storage certmagic.Storage
	name    string
}

// Load returns the value, nil when there is none.
func (i item) Load(ctx context.Context) ([]byte, error) {
	value, err := i.storage.Load(ctx, i.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s from Caddy's storage: %w", i.name, err)
	}
	return value, nil
}

// Update changes the value while nobody else can. A change that fails, or that
// changes nothing, writes nothing.
//
// Nothing to change is the usual case, at every start and reload, and is found
// out without the lock: a process that was killed while it held the lock leaves
// it behind, and whoever wants it waits ten seconds until it counts as stale.
func (i item) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	if changed, err := i.try(ctx, change); err != nil || changed == nil {
		return err
	}
	return i.updateLocked(ctx, change)
}

func (i item) updateLocked(ctx context.Context, change func(old []byte) ([]byte, error)) (err error) {
	if err := i.storage.Lock(ctx, i.name); err != nil {
		// A directory that could not be made is, in the lock's words, a missing one.
		return fmt.Errorf("locking %s in Caddy's storage, which must be writable (storage in the global options, or XDG_DATA_HOME, says where it is): %w", i.name, err)
	}
	defer func() {
		// The lock must go even when ctx is over.
		err = errors.Join(err, i.storage.Unlock(context.WithoutCancel(ctx), i.name))
	}()
	changed, err := i.try(ctx, change)
	if err != nil || changed == nil {
		return err
	}
	if err := i.storage.Store(ctx, i.name, changed); err != nil {
		return fmt.Errorf("writing %s to Caddy's storage: %w", i.name, err)
	}
	return nil
}

// try is what change makes of the value of this moment; nil when that is the
// value itself.
func (i item) try(ctx context.Context, change func(old []byte) ([]byte, error)) ([]byte, error) {
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

// keysValue is where the signing keys are in a shared store.
const keysValue = "keys"

// rootSecret returns the generated root secret, making it at the first start. It
// is a line of text, so that a configuration can name its file ({file.X}) once
// the operator replaces it by a secret of their own.
func rootSecret(ctx context.Context, storage certmagic.Storage) ([]byte, error) {
	i := item{storage, secretItem}
	secret, err := i.Load(ctx)
	if err != nil || secret != nil {
		return secret, err
	}
	err = i.Update(ctx, func(old []byte) ([]byte, error) {
		if old != nil { // another replica was first
			secret = old
			return nil, nil
		}
		secret = []byte(rand.Text() + rand.Text()) // 260 bits
		return secret, nil
	})
	return secret, err
}
