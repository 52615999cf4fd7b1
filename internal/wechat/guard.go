package wechat

import (
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// maxInFlight is how many calls of one app may be under way. At WeChat's
	// usual 100 ms it is 2,500 logins a second; beyond, more of them only pile up.
	maxInFlight = 256
	// busyRetry is when a caller who was one too many may come again.
	busyRetry = time.Second

	// breakAfter failures in a row, none of them older than breakWindow, open
	// the breaker: with one call in five failing by chance that happens once in
	// ten million calls.
	breakAfter = 10
	// breakWindow is how far back the breaker looks, breakStep how finely.
	breakWindow = time.Minute
	breakStep   = 5 * time.Second
	// breakPercent of at least breakCalls finished calls open it too: for a
	// platform that answers now and then.
	breakPercent = 70
	breakCalls   = 20
	// breakTime is how long an open breaker refuses before it lets one call try.
	breakTime = 5 * time.Second
)

// guard keeps calls from a platform that is down, and their number bounded. What
// it refuses costs neither a connection nor a code.
type guard struct {
	slots   chan struct{}
	breaker *gobreaker.CircuitBreaker[struct{}]
}

func newGuard(d *dialect, name string, inFlight int) *guard {
	return &guard{
		slots: make(chan struct{}, inFlight),
		breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name:         name,
			Interval:     breakWindow,
			BucketPeriod: breakStep,
			Timeout:      breakTime,
			ReadyToTrip:  down,
			IsSuccessful: func(err error) bool { return !d.isOutage(err) },
			IsExcluded:   func(err error) bool { return errors.Is(err, errCallerLeft) },
		}),
	}
}

func down(counts gobreaker.Counts) bool {
	finished := counts.TotalSuccesses + counts.TotalFailures
	return counts.ConsecutiveFailures >= breakAfter ||
		finished >= breakCalls && counts.TotalFailures*100 >= finished*breakPercent
}

// isOutage reports whether an error speaks against the platform's health. What
// the platform answered in good order does not, whatever it says of the request:
// one client's bad codes must not cut off everybody's logins.
func (d *dialect) isOutage(err error) bool {
	if _, ok := platformErrorOf(err); ok {
		return d.isBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatTimeout) ||
		errors.Is(err, auth.ErrWeChatUnreadable)
}

// run makes a call, or refuses to. Refusals are a [*auth.PlatformError] without
// an errcode, because a caller needs to know when to come again.
func (g *guard) run(call func() error) error {
	leave, err := g.enter()
	if err != nil {
		return err
	}
	defer leave()
	return g.protect(call)
}

// enter takes a place among the calls under way; the caller leaves it again.
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

// protect makes a call unless the breaker is open, and tells it the outcome.
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
