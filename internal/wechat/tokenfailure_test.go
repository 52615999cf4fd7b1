package wechat_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestInvalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(7200)...)
		tokens := direct(t, p).AccessTokens()
		tokens.Invalidate("")
		got, err := tokens.Token(t.Context())
		wantToken(t, got, err, "token-1")
		tokens.Invalidate("token-0") // a slow caller's
		got, err = tokens.Token(t.Context())
		wantToken(t, got, err, "token-1")
		tokens.Invalidate("token-1")
		tokens.Invalidate("token-1")
		got, err = tokens.Token(t.Context())
		wantToken(t, got, err, "token-2")
		tokens.Invalidate("token-1") // late
		got, err = tokens.Token(t.Context())
		wantToken(t, got, err, "token-2")
		wantCalls(t, p, tokenPath, 2)
	})
}

// WeChat refuses a token and then returns the same token again. Not every refusal may cost
// another fetch.
func TestInvalidateOfTheSameTokenIsRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken))
		tokens := direct(t, p).AccessTokens()
		for range 100 {
			got, err := tokens.Token(t.Context())
			wantToken(t, got, err, token)
			tokens.Invalidate(got)
		}
		wantCalls(t, p, tokenPath, 2)
		time.Sleep(6 * time.Second)
		tokens.Invalidate(token)
		got, err := tokens.Token(t.Context())
		wantToken(t, got, err, token)
		wantCalls(t, p, tokenPath, 3)
	})
}

func TestTokenFailuresAreCached(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		err  error
		hold time.Duration
	}{
		"misconfigured": {`{"errcode":40125}`, auth.ErrAppMisconfigured, 2 * time.Second},
		"minute quota":  {`{"errcode":45011}`, auth.ErrRateLimited, time.Minute},
		"daily quota":   {`{"errcode":45009}`, auth.ErrWeChatBusy, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform().on(tokenPath, respond(row.body), respond(goodToken))
				tokens := direct(t, p).AccessTokens()
				for range 10 {
					_, err := tokens.Token(t.Context())
					wantErr(t, err, row.err)
				}
				wantCalls(t, p, tokenPath, 1)
				time.Sleep(row.hold - time.Millisecond)
				_, err := tokens.Token(t.Context())
				wantErr(t, err, row.err)
				time.Sleep(time.Millisecond)
				got, err := tokens.Token(t.Context())
				wantToken(t, got, err, token)
			})
		})
	}
}

func TestTokenIsRetriedOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		first http.HandlerFunc
		err   error
		calls int
	}{
		"busy":    {first: respond(`{"errcode":-1}`), calls: 2},
		"HTML":    {first: respond(`<html>`), calls: 2},
		"timeout": {first: hangs, err: auth.ErrWeChatTimeout, calls: 1},
		"secret":  {first: respond(`{"errcode":40125}`), err: auth.ErrAppMisconfigured, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform().on(tokenPath, row.first, respond(goodToken))
				_, err := direct(t, p).AccessTokens().Token(t.Context())
				wantErr(t, err, row.err)
				wantCalls(t, p, tokenPath, row.calls)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(`{"errcode":-1}`))
		_, err := direct(t, p).AccessTokens().Token(t.Context())
		wantErr(t, err, auth.ErrWeChatBusy)
		wantCalls(t, p, tokenPath, 2)
	})
}

// After a failed renewal, a token that is still valid stays in use.
func TestTokenSurvivesAFailedRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken), respond(`{"errcode":40125}`))
		tokens := direct(t, p).AccessTokens()
		_, err := tokens.Token(t.Context())
		wantErr(t, err, nil)
		time.Sleep(2*time.Hour - time.Minute)
		for range 59 {
			got, err := tokens.Token(t.Context())
			wantToken(t, got, err, token)
			time.Sleep(time.Second)
		}
		if got := p.count(tokenPath); got > 3 {
			t.Fatalf("%d fetches in a minute", got)
		}
		time.Sleep(time.Second)
		_, err = tokens.Token(t.Context())
		wantErr(t, err, auth.ErrAppMisconfigured)
	})
}

func TestCloseEndsTheFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := direct(t, newPlatform().on(tokenPath, hangs))
		failed := make(chan error, 1)
		go func() { _, err := client.AccessTokens().Token(t.Context()); failed <- err }()
		synctest.Wait()
		closed := time.Now()
		client.Close()
		if took := time.Since(closed); took != 0 {
			t.Fatalf("closing took %v", took)
		}
		if err := <-failed; !errors.Is(err, auth.ErrWeChatTimeout) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(time.Hour)
		_, err := client.AccessTokens().Token(t.Context())
		wantErr(t, err, auth.ErrWeChatUnreachable)
	})
}
