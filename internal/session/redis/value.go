package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// Value is a small value that replicas share, such as the signing keys. It is stored
// unencrypted: a caller must seal secrets.
type Value struct {
	redis *Client
	key   string
}

// Value returns the value with the given name. Names are constants.
func (r *Client) Value(name string) *Value {
	return &Value{redis: r, key: r.key(0, "v", name)}
}

// Load returns the value; nil if there is none, or if it has expired.
func (v *Value) Load(ctx context.Context) (value []byte, err error) {
	err = v.redis.observed(ctx, opLoad, 0, func() error {
		value, err = v.load(ctx)
		return err
	})
	return value, err
}

func (v *Value) load(ctx context.Context) ([]byte, error) {
	value, err := v.redis.client.Send(ctx, v.redis.client.B().Get().Key(v.key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, v.redis.failed(err)
	}
	return value, nil
}

// Update replaces the value by the result of change; the value does not expire. If another
// replica changes the value meanwhile, change is called again with the new value. If change
// returns nil, an error or the old value, nothing is written. Its error is returned
// unchanged.
func (v *Value) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	var outcome error
	err := v.redis.observed(ctx, opSwap, 0, func() error {
		return v.redis.settle(ctx, 0, v.key, func() (settled bool, err error) {
			old, err := v.load(ctx)
			if err != nil {
				return false, err
			}
			var changed []byte
			if changed, outcome = change(old); outcome != nil || changed == nil || string(changed) == string(old) {
				return true, nil //nolint:nilerr // the outcome is returned to the caller; Redis did not fail
			}
			return v.redis.write(ctx, step.ScriptSwap, []string{v.key}, []string{string(old), string(changed)})
		})
	})
	if err != nil {
		return err
	}
	return outcome
}

// Put sets the value until ttl has passed.
func (v *Value) Put(ctx context.Context, value []byte, ttl time.Duration) error {
	return v.redis.observed(ctx, opPut, 0, func() error {
		cmd := v.redis.client.B().Set().Key(v.key).Value(rueidis.BinaryString(value)).Px(max(ttl, time.Millisecond)).Build()
		if err := v.redis.client.Send(ctx, cmd).Error(); err != nil {
			v.redis.noteRefusal(err)
			return v.redis.failed(err)
		}
		return nil
	})
}

// Lease returns held if this replica is the one that may renew the value, until it calls
// release or, in case it crashes, until ttl has passed. If another replica holds the lease,
// held is false; release may still be called.
func (v *Value) Lease(ctx context.Context, ttl time.Duration) (release func(), held bool, err error) {
	name, key := rand.Text(), v.key+":lease"
	err = v.redis.observed(ctx, opLease, 0, func() error {
		cmd := v.redis.client.B().Set().Key(key).Value(name).Nx().Px(max(ttl, time.Millisecond)).Build()
		err := v.redis.client.Send(ctx, cmd).Error()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		if err != nil {
			v.redis.noteRefusal(err)
			return v.redis.failed(err)
		}
		held = true
		return nil
	})
	if !held {
		return func() {}, false, err
	}
	return func() {
		// Release the lease for the next replica even if the caller's context has ended.
		_ = v.redis.client.Run(context.WithoutCancel(ctx), step.ScriptRelease, []string{key}, []string{name})
	}, true, nil
}

var errBadLimit = errors.New("invalid limit: it must allow at least one request, and at most one per microsecond")

// Take takes one unit of key's allowance, which is n units, refilled evenly over per. wait is
// zero if a unit was taken, and otherwise the time until one is available. It uses the clock of
// Redis, which is the same for all replicas.
func (r *Client) Take(ctx context.Context, limit string, key []byte, n int, per time.Duration) (wait time.Duration, err error) {
	if n < 1 || per/time.Duration(n) < time.Microsecond {
		return 0, fmt.Errorf("%w: %d in %v", errBadLimit, n, per)
	}
	v := r.vault.Load()
	if v == nil {
		return 0, session.Unavailable(errNoStore)
	}
	hash := v.Box.MAC("limit", append([]byte(limit+"\x00"), key...))
	err = r.observed(ctx, opTake, hash[0], func() error {
		name := r.key(hash[0], "l", layout.EncodeName(hash))
		each := float64(per.Microseconds()) / float64(n)
		us, err := r.client.Run(ctx, step.ScriptTake, []string{name}, []string{fmt.Sprintf("%.3f", each), fmt.Sprint(n)}).AsInt64()
		if err != nil {
			r.noteRefusal(err)
			return r.failed(err)
		}
		wait = time.Duration(us) * time.Microsecond
		return nil
	})
	return wait, err
}

var errNoStore = errors.New("no store is open yet")
