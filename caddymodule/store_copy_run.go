package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/token"
)

// copied counts what was copied.
type copied struct {
	sessions, users, revocations int
	attempts                     int // users with failed attempts to decrypt
	left                         int // sessions whose ID Redis cannot place
	keys                         int // signing keys that were new to the target
}

func (n copied) String() string {
	text := fmt.Sprintf("%d sessions, session keys of %d users, %d revocations, %d new signing keys", n.sessions, n.users, n.revocations, n.keys)
	if n.attempts > 0 {
		text += fmt.Sprintf(", failed decryption attempts of %d users", n.attempts)
	}
	if n.left > 0 {
		text += fmt.Sprintf("; %d sessions of an older wxgate stay behind, their clients log in again silently", n.left)
	}
	return text
}

// run copies all that a store holds, and then the signing keys: whoever is
// interrupted between the two has lost nothing and repeats it.
func (c *copier) run(ctx context.Context, source, target *copyEnd) (copied, error) {
	var n copied
	retired := make(map[auth.KeyID]bool)
	err := source.store.Export(ctx, func(e session.Entry) error {
		if e.Revocation != nil && e.Revocation.Key != "" {
			retired[e.Revocation.Key] = true
		}
		return n.put(ctx, target, e)
	})
	if err != nil {
		return n, err
	}
	n.keys, err = c.copyKeys(ctx, source, target, func(id auth.KeyID) bool { return retired[id] })
	return n, err
}

// put imports one entry. A session that cannot be moved stops nothing.
func (n *copied) put(ctx context.Context, target *copyEnd, e session.Entry) error {
	err := target.store.Import(ctx, e)
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

// copyKeys adds the signing keys, so that access tokens of before stay good.
func (c *copier) copyKeys(ctx context.Context, source, target *copyEnd, retired func(auth.KeyID) bool) (added int, err error) {
	from, err := source.keys.Load(ctx)
	if err != nil || from == nil {
		return 0, err
	}
	err = target.keys.Update(ctx, func(old []byte) ([]byte, error) {
		var merged []byte
		var err error
		merged, added, err = token.MergeRings(c.box, old, from, retired, time.Now())
		return merged, err
	})
	return added, err
}
