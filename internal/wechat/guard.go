package wechat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// maxInFlight is how many calls of one app may run at once. At WeChat's usual
	// 100 ms that is 2,500 logins a second; more calls would only wait longer.
	maxInFlight = 256
	// busyRetry is the delay before a retry when too many calls are running.
	busyRetry = time.Second

	// breakAfter failures in a row, none older than breakWindow, open the circuit
	// breaker: if one call in five fails by chance, that happens once in ten million
	// calls.
	breakAfter = 10
	// breakWindow is the period in which calls are counted, breakStep its resolution.
	breakWindow = time.Minute
	breakStep   = 5 * time.Second
	// breakPercent of at least breakCalls finished calls open it too, for a platform
	// that responds now and then.
	breakPercent = 70
	breakCalls   = 20
	// breakTime is how long an open breaker refuses calls before it lets one through.
	breakTime = 5 * time.Second
)

// guard limits the number of simultaneous calls, and refuses calls while the platform
// is down. A refused call costs neither a connection nor a code.
type guard struct {
	slots   chan struct{}
	breaker *gobreaker.CircuitBreaker[struct{}]
}

func newGuard(d *platform.Dialect, name string, inFlight int) *guard {
	return &guard{
		slots: make(chan struct{}, inFlight),
		breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name:         name,
			Interval:     breakWindow,
			BucketPeriod: breakStep,
			Timeout:      breakTime,
			ReadyToTrip:  down,
			IsSuccessful: func(err error) bool { return !isOutage(d, err) },
			IsExcluded:   func(err error) bool { return errors.Is(err, errCallerLeft) },
		}),
	}
}

func down(counts gobreaker.Counts) bool {
	finished := counts.TotalSuccesses + counts.TotalFailures
	return counts.ConsecutiveFailures >= breakAfter ||
		finished >= breakCalls && counts.TotalFailures*100 >= finished*breakPercent
}

// isOutage reports whether an error shows that the platform is down. An error code
// about the request does not: otherwise an attacker could block all logins by sending
// invalid codes.
func isOutage(d *platform.Dialect, err error) bool {
	// WeChat responded. If an old certificate is configured, calls that are not encrypted
	// must not stop, and above all not logins.
	if errors.Is(err, ErrUnverified) {
		return false
	}
	if _, ok := errors.AsType[*auth.PlatformError](err); ok {
		return d.IsBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatTimeout) ||
		errors.Is(err, auth.ErrWeChatUnreadable)
}

// run makes a call, or refuses it. A refusal is a [*auth.PlatformError] without an
// errcode, which tells the caller when to retry.
func (g *guard) run(call func() error) error {
	leave, err := g.enter()
	if err != nil {
		return err
	}
	defer leave()
	return g.protect(call)
}

// enter counts a call as running until the caller calls leave.
func (g *guard) enter() (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	default:
		return nil, &auth.PlatformError{
			Class:      auth.ErrWeChatBusy,
			Message:    fmt.Sprintf("not sent: %d calls are under way", cap(g.slots)),
			RetryAfter: busyRetry,
		}
	}
}

// protect makes a call unless the breaker is open, and counts its result.
func (g *guard) protect(call func() error) error {
	_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, call() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return &auth.PlatformError{
			Class:      auth.ErrWeChatUnreachable,
			Message:    "not sent: the circuit breaker is open",
			RetryAfter: breakTime,
		}
	}
	return err
}

func (g *guard) state() string { return g.breaker.State().String() }

const (
	// retryDelay is the least time before the retry of an idempotent call, and
	// retryJitter the most that is added at random, so that replicas that failed
	// together do not retry together.
	retryDelay  = 100 * time.Millisecond
	retryJitter = 200 * time.Millisecond
)

// retryOnce makes an idempotent call, and repeats it once after a temporary failure. It
// does not after a timeout: the caller has waited long enough, and the platform may be
// overloaded. Don't use it for a call that spends a code.
func retryOnce(ctx context.Context, d *platform.Dialect, call func() error) error {
	err := call()
	if !isTemporary(d, err) {
		return err
	}
	if wait(ctx, retryDelay+rand.N(retryJitter)) != nil { //nolint:gosec // jitter, not a secret
		return err
	}
	return call()
}

// isTemporary is false for a refusal of the guard: the caller must get it at once.
func isTemporary(d *platform.Dialect, err error) bool {
	if _, ok := errors.AsType[*auth.PlatformError](err); ok {
		return d.IsBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatUnreadable) && !errors.Is(err, ErrUnverified)
}
