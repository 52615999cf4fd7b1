package wechat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// renewBefore is when a kept token is renewed: WeChat itself hands out the
	// next one five minutes before the old one ends, and both work meanwhile.
	renewBefore = 5 * time.Minute
	// renewEvery spaces the renewals of a token that WeChat does not replace yet.
	renewEvery = 30 * time.Second
	// failureHold is how long a failed fetch answers for the next ones: WeChat
	// counts them, and every caller would make one.
	failureHold = 2 * time.Second
	// maxFailureHold is the longest that WeChat's own "come again" is heeded:
	// an operator who fixes the cause waits no longer than that.
	maxFailureHold = time.Minute
	// sameTokenHold is how long a token that WeChat refused, and then handed out
	// again as the right one, is not asked about any more.
	sameTokenHold = 5 * time.Second
)

// AccessTokens keeps the app's access token: fetched once, whoever asks, renewed
// in the background while it is in use, and fetched again when WeChat refuses it.
// It is safe for concurrent use.
//
// Every replica may have its own: stable_token hands the same one to everybody.
// Those with a [TokenShare] have one together, and one fetch.
type AccessTokens struct {
	fetch tokenFetch
	now   func() time.Time
	tasks *tasks

	mu      sync.Mutex // guards all below
	token   string     // empty when there is none
	since   time.Time  // when the token was asked for
	expires time.Time
	flight  *tokenFlight // the fetch under way, if any
	started time.Time    // when the last fetch began

	failure   error // of the last fetch, if it failed
	holdUntil time.Time

	refused   string    // the token that was last invalidated,
	refusedAt time.Time // and when
}

// tokenFetch gets a token other than refused, which may be empty.
type tokenFetch func(ctx context.Context, refused string) (fetched, error)

// fetched is a token as WeChat hands it out.
type fetched struct {
	token string
	life  time.Duration
}

// tokenFlight is one fetch. Its goroutine alone writes token and err, before it
// closes done; they may be read once done is closed.
type tokenFlight struct {
	done  chan struct{}
	token string
	err   error
}

// Token is the access token to use now. It waits for WeChat only when there is
// none; one caller leaving does not end the fetch that others wait for.
func (a *AccessTokens) Token(ctx context.Context) (string, error) {
	a.mu.Lock()
	now := a.now()
	if a.token != "" && now.Before(a.expires) {
		token := a.token
		if a.renewalDue(now) {
			a.start(now)
		}
		a.mu.Unlock()
		return token, nil
	}
	if a.flight == nil && now.Before(a.holdUntil) {
		defer a.mu.Unlock()
		return "", a.failure
	}
	flight := a.start(now)
	a.mu.Unlock()
	select {
	case <-ctx.Done():
		return "", callerLeft(ctx)
	case <-flight.done:
		return flight.token, flight.err
	}
}

// Invalidate says that WeChat refused a token. It is dropped if it is still the
// one in use: a slow caller's old token says nothing of the new one.
func (a *AccessTokens) Invalidate(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if token == "" || token != a.token {
		return
	}
	now := a.now()
	// WeChat refuses this token and hands it out again: asking ever faster would
	// only spend the quota of stable_token.
	if token == a.refused && now.Sub(a.refusedAt) < sameTokenHold {
		return
	}
	a.token, a.refused, a.refusedAt = "", token, now
}

// Age is how long ago the token in use was fetched; false when there is none.
func (a *AccessTokens) Age() (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == "" {
		return 0, false
	}
	return a.now().Sub(a.since), true
}

// renewalDue is asked with mu held.
func (a *AccessTokens) renewalDue(now time.Time) bool {
	return a.flight == nil && a.expires.Sub(now) <= renewBefore && now.Sub(a.started) >= renewEvery
}

// start joins the fetch under way or begins one. It is called with mu held.
func (a *AccessTokens) start(now time.Time) *tokenFlight {
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
		got, err := a.fetch(a.tasks.ctx, refused)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.land(now, got, err)
		flight.token, flight.err = got.token, err
		a.flight = nil
		close(flight.done)
	}()
	return flight
}

// land keeps what a fetch brought. It is called with mu held. A failure leaves a
// token that still works alone.
func (a *AccessTokens) land(asked time.Time, got fetched, err error) {
	if err == nil {
		a.token, a.since, a.expires = got.token, asked, asked.Add(got.life)
		a.failure, a.holdUntil = nil, time.Time{}
		return
	}
	hold := failureHold
	if platform, ok := errors.AsType[*auth.PlatformError](err); ok {
		hold = min(max(hold, platform.RetryAfter), maxFailureHold)
	}
	a.failure, a.holdUntil = err, a.now().Add(hold)
}
