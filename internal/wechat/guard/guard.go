// Package guard limits the calls of one app: how many may run at once, and that none are made
// while the platform is down. It makes no calls itself.
package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// busyRetry is the delay before a retry when too many calls are running.
	busyRetry = time.Second

	// breakAfter failures in a row, none older than breakWindow, open the circuit
	// breaker: if one call in five fails by chance, that happens once in ten million
	// calls.
	breakAfter = 10
	// breakWindow is the period in which calls are counted, and breakStep is its resolution.
	breakWindow = time.Minute
	breakStep   = 5 * time.Second
	// If at least breakCalls calls finished and breakPercent of them failed, the breaker opens
	// too, for a platform that still responds sometimes.
	breakPercent = 70
	breakCalls   = 20
	// breakTime is how long an open breaker refuses calls before it lets one through.
	breakTime = 5 * time.Second
)

// Guard limits the number of simultaneous calls, and refuses calls while the platform
// is down. A refused call costs neither a connection nor a code.
type Guard struct {
	slots   chan struct{}
	breaker *gobreaker.CircuitBreaker[struct{}]
}

// New returns a guard that lets inFlight calls of a platform run at once.
func New(d *platform.Dialect, name string, inFlight int) *Guard {
	return &Guard{
		slots: make(chan struct{}, inFlight),
		breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name:         name,
			Interval:     breakWindow,
			BucketPeriod: breakStep,
			Timeout:      breakTime,
			ReadyToTrip:  down,
			IsSuccessful: func(err error) bool { return !isOutage(d, err) },
			IsExcluded:   func(err error) bool { return errors.Is(err, ErrCallerLeft) },
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
	// WeChat responded. If an outdated certificate is configured, unencrypted calls, above all
	// logins, must still work.
	if errors.Is(err, apisecurity.ErrRefused) {
		return false
	}
	if _, ok := errors.AsType[*auth.PlatformError](err); ok {
		return d.IsBusy(err)
	}
	return errors.Is(err, auth.ErrWeChatUnreachable) || errors.Is(err, auth.ErrWeChatTimeout) ||
		errors.Is(err, auth.ErrWeChatUnreadable)
}

// Run makes a call, or refuses it. A refusal is a [*auth.PlatformError] without an
// errcode, which tells the caller when to retry.
func (g *Guard) Run(call func() error) error {
	leave, err := g.Enter()
	if err != nil {
		return err
	}
	defer leave()
	return g.Protect(call)
}

// Enter counts a call as running until the caller calls leave.
func (g *Guard) Enter() (leave func(), err error) {
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

// Protect makes a call unless the breaker is open, and counts its result.
func (g *Guard) Protect(call func() error) error {
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

// State returns the state of the circuit breaker: closed, half-open or open.
func (g *Guard) State() string { return g.breaker.State().String() }
