package wechat

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// retryDelay is the least time before the one retry of an idempotent call,
	// and retryJitter what chance adds: replicas that failed together do not
	// come back together.
	retryDelay  = 100 * time.Millisecond
	retryJitter = 200 * time.Millisecond
)

// retryOnce makes an idempotent call, and once more when it failed in a way that
// passes by itself. After a timeout it does not: the caller has waited enough,
// and so has the platform. Never give it a call that spends a code.
func (d *dialect) retryOnce(ctx context.Context, call func() error) error {
	err := call()
	if !d.passing(err) {
		return err
	}
	if wait(ctx, retryDelay+rand.N(retryJitter)) != nil { //nolint:gosec // jitter, not a secret
		return err
	}
	return call()
}

// passing leaves out what the guard refused, which is to be refused at once.
func (d *dialect) passing(err error) bool {
	if _, ok := platformErrorOf(err); ok {
		return d.isBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatUnreadable)
}
