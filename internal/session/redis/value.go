package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/session"
)

// Value is one small value that replicas share, such as the signing keys.
// It is kept as it is given: a caller that stores secrets seals them.
type Value struct {
	redis *Client
	key   string
}

// Value is the value of a name. Names are constants of the program.
func (r *Client) Value(name string) *Value {
	return &Value{redis: r, key: r.key(0, "v", name)}
}

// Load returns the value; nil when there is none, or its time is over.
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

// Update replaces the value by what change makes of it, and keeps it without
// end. No other replica's change comes between: change is called again with what
// it wrote. Where change returns nil, an error or what was there, nothing is
// written; its error is returned as it is.
func (v *Value) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	var answer error
	err := v.redis.observed(ctx, opSwap, 0, func() error {
		return v.redis.settle(ctx, 0, v.key, func() (settled bool, err error) {
			old, err := v.load(ctx)
			if err != nil {
				return false, err
			}
			var changed []byte
			if changed, answer = change(old); answer != nil || changed == nil || string(changed) == string(old) {
				return true, nil //nolint:nilerr // it is the caller's answer; Redis did not fail
			}
			return v.redis.write(ctx, scriptSwap, []string{v.key}, []string{string(old), string(changed)})
		})
	})
	if err != nil {
		return err
	}
	return answer
}

// Put sets the value for a time, whatever it was.
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

// Lease asks to be the one replica that makes the value anew. It is held until
// release is called, or for ttl: the holder may have died. held false is that
// another replica holds it; release may then be called too.
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
		// Whether or not the caller is still waited for, the next one is.
		_ = v.redis.client.Run(context.WithoutCancel(ctx), scriptRelease, []string{key}, []string{name})
	}, true, nil
}

var errBadLimit = errors.New("invalid limit: it must allow at least one request, and at most one per microsecond")

// Take takes one of key's allowance of a limit: n at once, refilled evenly over
// per. wait is when the next one is due; zero when one was taken. The clock is
// Redis's, so that it is one for all replicas.
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
		name := r.key(hash[0], "l", encodeName(hash))
		each := float64(per.Microseconds()) / float64(n)
		us, err := r.client.Run(ctx, scriptTake, []string{name}, []string{fmt.Sprintf("%.3f", each), fmt.Sprint(n)}).AsInt64()
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
