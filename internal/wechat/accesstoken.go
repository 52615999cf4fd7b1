package wechat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
)

const (
	// renewBefore is how long before its expiry a token is renewed: WeChat returns the next
	// token five minutes before, and both are valid until then.
	renewBefore = 5 * time.Minute
	// renewEvery is the minimum time between renewals if WeChat returns the same token.
	renewEvery = 30 * time.Second
	// failureHold is how long callers get the error of a failed fetch without another fetch:
	// WeChat limits the number of fetches.
	failureHold = 2 * time.Second
	// maxFailureHold bounds the Retry-After of WeChat: after an operator fixed the
	// cause, logins must work again soon.
	maxFailureHold = time.Minute
	// sameTokenHold is how long a token stays in use if WeChat refused it and then returned it
	// again.
	sameTokenHold = 5 * time.Second
)

// tokenCache caches the app's access token. All callers share one fetch. The token
// is renewed in the background while it is in use, and fetched again after WeChat
// refused it. It is safe for concurrent use.
//
// Every replica may have a cache, since stable_token returns the same token to all.
// Replicas with a [TokenShare] also share the fetch.
type tokenCache struct {
	fetch tokenFetch
	now   func() time.Time
	tasks *tasks

	mu      sync.Mutex // guards all below
	token   string     // empty if there is none
	since   time.Time  // when the token was requested
	expires time.Time
	flight  *tokenFlight // the running fetch, if any
	started time.Time    // when the last fetch started

	failure   error // of the last fetch, if it failed
	holdUntil time.Time

	refused   string // the token that was invalidated last
	refusedAt time.Time
}

// tokenFetch fetches a token other than refused, which may be empty.
type tokenFetch func(ctx context.Context, refused string) (fetched, error)

// fetched is a token as WeChat returns it.
type fetched struct {
	token string
	life  time.Duration
}

// tokenFlight is one fetch. Only its goroutine writes token and err, before it closes
// done; others may read them once done is closed.
type tokenFlight struct {
	done  chan struct{}
	token string
	err   error
}

// Token returns a valid access token. It waits for WeChat only if no valid token is cached. A
// caller that leaves does not end the fetch for the others.
func (a *tokenCache) Token(ctx context.Context) (string, error) {
	a.mu.Lock()
	now := a.now()
	if a.token != "" && now.Before(a.expires) {
		token := a.token
		if a.renewalDue(now) {
			a.start(ctx, now)
		}
		a.mu.Unlock()
		return token, nil
	}
	if a.flight == nil && now.Before(a.holdUntil) {
		defer a.mu.Unlock()
		return "", a.failure
	}
	flight := a.start(ctx, now)
	a.mu.Unlock()
	select {
	case <-ctx.Done():
		return "", guard.CallerLeft(ctx)
	case <-flight.done:
		return flight.token, flight.err
	}
}

// Invalidate drops a token that WeChat refused, if it is the current one: a slow
// caller may have used the previous token.
func (a *tokenCache) Invalidate(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if token == "" || token != a.token {
		return
	}
	now := a.now()
	// WeChat refuses this token and returns it again: more fetches would only use up the quota
	// of stable_token.
	if token == a.refused && now.Sub(a.refusedAt) < sameTokenHold {
		return
	}
	a.token, a.refused, a.refusedAt = "", token, now
}

// Age returns the time since the token was fetched; false if there is none.
func (a *tokenCache) Age() (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == "" {
		return 0, false
	}
	return a.now().Sub(a.since), true
}

// renewalDue is called with mu held.
func (a *tokenCache) renewalDue(now time.Time) bool {
	return a.flight == nil && a.expires.Sub(now) <= renewBefore && now.Sub(a.started) >= renewEvery
}

// start returns the running fetch, or starts one. The fetch belongs to the trace of the caller
// and outlives the caller. It is called with mu held.
func (a *tokenCache) start(caller context.Context, now time.Time) *tokenFlight {
	if a.flight != nil {
		return a.flight
	}
	flight := &tokenFlight{done: make(chan struct{})}
	if !a.tasks.begin() {
		flight.err = fmt.Errorf("%w: the client is closed", auth.ErrWeChatUnreachable)
		close(flight.done)
		return flight
	}
	a.flight, a.started = flight, now
	refused := a.refused
	// This goroutine owns the flight until it closes done.
	go func() {
		defer a.tasks.running.Done()
		ctx, end := a.tasks.outlive(caller)
		defer end()
		got, err := a.fetch(ctx, refused)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.land(now, got, err)
		flight.token, flight.err = got.token, err
		a.flight = nil
		close(flight.done)
	}()
	return flight
}

// land stores the result of a fetch. It is called with mu held. After a failure it
// keeps a token that is still valid.
func (a *tokenCache) land(asked time.Time, got fetched, err error) {
	if err == nil {
		a.token, a.since, a.expires = got.token, asked, asked.Add(got.life)
		a.failure, a.holdUntil = nil, time.Time{}
		return
	}
	hold := failureHold
	if refusal, ok := errors.AsType[*auth.PlatformError](err); ok {
		hold = min(max(hold, refusal.RetryAfter), maxFailureHold)
	}
	a.failure, a.holdUntil = err, a.now().Add(hold)
}
