// Package storecopy copies a session store and its signing keys into another.
package storecopy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/table"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// End is one end of a copy: an opened store.
type End struct {
	Name  string // without a password
	Store Store
	Keys  keyring.Storage
	Close func() error
}

// Store is the part of a session store that a copy needs.
type Store interface {
	Export(ctx context.Context, do func(session.Entry) error) error
	Import(ctx context.Context, e session.Entry) error
}

// Copied counts what was copied.
type Copied struct {
	sessions, users, revocations int
	attempts                     int // users with failed attempts to decrypt
	left                         int // sessions whose ID Redis cannot place
	keys                         int // signing keys that were new to the target
}

// String describes the copy for the operator.
func (n Copied) String() string {
	text := fmt.Sprintf("%s, session keys of %s, %s, %s",
		table.Count(n.sessions, "session"), table.Count(n.users, "user"), table.Count(n.revocations, "revocation"), table.Count(n.keys, "new signing key"))
	if n.attempts > 0 {
		text += ", failed decryption attempts of " + table.Count(n.attempts, "user")
	}
	if n.left > 0 {
		text += "; not copied: " + table.Count(n.left, "session") + " of an older wxgate, whose clients log in again silently"
	}
	return text
}

// Run copies everything that a store has, and then the signing keys, which box seals. If it is
// interrupted, nothing is lost, and it can be repeated.
func Run(ctx context.Context, box *seal.Box, source, target *End) (Copied, error) {
	var n Copied
	retired := make(map[auth.KeyID]bool)
	err := source.Store.Export(ctx, func(e session.Entry) error {
		if e.Revocation != nil && e.Revocation.Key != "" {
			retired[e.Revocation.Key] = true
		}
		return n.put(ctx, target, e)
	})
	if err != nil {
		return n, err
	}
	n.keys, err = copyKeys(ctx, box, source, target, func(id auth.KeyID) bool { return retired[id] })
	return n, err
}

// put imports one entry. A session that cannot be moved is counted, and the copy continues.
func (n *Copied) put(ctx context.Context, target *End, e session.Entry) error {
	err := target.Store.Import(ctx, e)
	switch {
	case errors.Is(err, session.ErrOldSessionID):
		n.left++
		return nil
	case err != nil:
		return err
	case e.Session != nil:
		n.sessions++
	case e.Keys != nil:
		n.users++
	case e.Attempts != nil:
		n.attempts++
	default:
		n.revocations++
	}
	return nil
}

// copyKeys adds the signing keys, so that issued access tokens stay valid.
func copyKeys(ctx context.Context, box *seal.Box, source, target *End, retired func(auth.KeyID) bool) (added int, err error) {
	from, err := source.Keys.Load(ctx)
	if err != nil || from == nil {
		return 0, err
	}
	err = target.Keys.Update(ctx, func(old []byte) ([]byte, error) {
		var merged []byte
		var err error
		merged, added, err = keyring.Merge(box, old, from, retired, time.Now())
		return merged, err
	})
	return added, err
}
