package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// retryDelay is the minimum time before the retry of an idempotent call, and retryJitter
	// the maximum random time added to it, so that replicas that failed together do not retry
	// together.
	retryDelay  = 100 * time.Millisecond
	retryJitter = 200 * time.Millisecond
)

// RetryOnce makes an idempotent call, and repeats it once after a temporary failure. It does
// not repeat a call that timed out: the caller has waited long enough, and the platform may be
// overloaded. Don't use it for a call that spends a code.
func RetryOnce(ctx context.Context, d *platform.Dialect, call func() error) error {
	err := call()
	if !isTemporary(d, err) {
		return err
	}
	if Wait(ctx, retryDelay+rand.N(retryJitter)) != nil { //nolint:gosec // jitter, not a secret
		return err
	}
	return call()
}

// isTemporary is false for a refusal of the guard: the caller must get it at once.
func isTemporary(d *platform.Dialect, err error) bool {
	if _, ok := errors.AsType[*auth.PlatformError](err); ok {
		return d.IsBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatUnreadable) && !errors.Is(err, apisecurity.ErrRefused)
}

// ErrCallerLeft marks a call that ended because its caller left. The circuit breaker
// does not count it: the platform may be fine.
var ErrCallerLeft = errors.New("the caller left or had no more time")

// CallerLeft returns the error for a caller whose context ended.
func CallerLeft(ctx context.Context) error {
	return fmt.Errorf("%w: %w: %w", auth.ErrWeChatTimeout, ErrCallerLeft, ctx.Err())
}

// Wait waits for d, or until the caller leaves.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return CallerLeft(ctx)
	}
}
