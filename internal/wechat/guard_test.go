package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		response http.HandlerFunc
		class    error
		opens    bool
	}{
		"busy":          {respond(`{"errcode":-1}`), auth.ErrWeChatBusy, true},
		"HTML":          {respond(`<html>`), auth.ErrWeChatUnreadable, true},
		"timeout":       {hangs, auth.ErrWeChatTimeout, true},
		"no openid":     {respond(`{}`), auth.ErrWeChatUnreadable, true},
		"bad code":      {respond(`{"errcode":40029}`), auth.ErrInvalidCode, false},
		"used code":     {respond(`{"errcode":40163}`), auth.ErrCodeUsed, false},
		"quota":         {respond(`{"errcode":45011}`), auth.ErrRateLimited, false},
		"misconfigured": {respond(`{"errcode":40125}`), auth.ErrAppMisconfigured, false},
		"unknown":       {respond(`{"errcode":12345}`), auth.ErrWeChatUnreadable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform().on(loginPath, row.response)
				client := direct(t, p)
				for i := range 10 {
					_, err := client.Exchange(t.Context(), fmt.Sprint(i))
					wantErr(t, err, row.class)
				}
				if opened := client.Breaker() == "open"; opened != row.opens {
					t.Fatalf("the breaker is %s", client.Breaker())
				}
			})
		})
	}
}

func TestBreakerOpenRefusesAtOnceAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var handlers []http.HandlerFunc
		for range 11 {
			handlers = append(handlers, respond("<html>"))
		}
		p := newPlatform().on(loginPath, append(handlers, respond(goodLogin))...).on(tokenPath, respond(goodToken))
		client := direct(t, p)
		for i := range 10 {
			_, err := client.Exchange(t.Context(), fmt.Sprint(i))
			wantErr(t, err, auth.ErrWeChatUnreadable)
		}
		started := time.Now()
		_, err := client.Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrWeChatUnreachable)
		var refusal *auth.PlatformError
		if !errors.As(err, &refusal) || refusal.Code != 0 || refusal.RetryAfter != 5*time.Second {
			t.Fatalf("got %+v", refusal)
		}
		_, err = client.PhoneNumber(t.Context(), code, openid) // the breaker is the app's, not the endpoint's
		wantErr(t, err, auth.ErrWeChatUnreachable)
		if time.Since(started) != 0 {
			t.Fatal("the refusal was not immediate")
		}
		wantCalls(t, p, loginPath, 10)
		wantCalls(t, p, tokenPath, 0)

		time.Sleep(5*time.Second + time.Millisecond)
		_, err = client.Exchange(t.Context(), code) // the trial fails
		wantErr(t, err, auth.ErrWeChatUnreadable)
		_, err = client.Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrWeChatUnreachable)
		wantCalls(t, p, loginPath, 11)
		time.Sleep(5*time.Second + time.Millisecond)
		_, err = client.Exchange(t.Context(), code) // the trial succeeds
		wantErr(t, err, nil)
		if client.Breaker() != "closed" {
			t.Fatalf("the breaker is %s", client.Breaker())
		}
	})
}

// Clients that disconnect are not counted as failures of WeChat.
func TestBreakerIgnoresCallersWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, hangs)
		client := direct(t, p)
		for range 20 {
			_, err := client.PhoneNumber(within(t, time.Second), code, openid)
			wantErr(t, err, auth.ErrWeChatTimeout)
		}
		if client.Breaker() != "closed" {
			t.Fatalf("the breaker is %s", client.Breaker())
		}
	})
}

func TestInFlightIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPlatform().on(loginPath, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			respond(goodLogin)(w, r)
		})
		client := direct(t, p)
		var callers sync.WaitGroup
		for i := range 256 {
			callers.Go(func() {
				_, err := client.Exchange(t.Context(), fmt.Sprint(i))
				wantNoErr(t, err)
			})
		}
		synctest.Wait()
		_, err := client.Exchange(t.Context(), "another")
		wantErr(t, err, auth.ErrWeChatBusy)
		var refusal *auth.PlatformError
		if !errors.As(err, &refusal) || refusal.Code != 0 || refusal.RetryAfter != time.Second {
			t.Fatalf("got %+v", refusal)
		}
		close(release)
		callers.Wait()
		wantCalls(t, p, loginPath, 256)
		_, err = client.Exchange(t.Context(), "another")
		wantErr(t, err, nil)
	})
}

// wantNoErr is for goroutines, which must not call FailNow.
func wantNoErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got %v", err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var calls []wechat.Call
		p := newPlatform().on(tokenPath, respond(`{"errcode":-1}`), respond(goodToken)).on(phonePath, respond(`{"errcode":40029}`)).
			on(loginPath, respond("<html>"))
		client := mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Observe: func(_ context.Context, c wechat.Call) {
			mu.Lock()
			defer mu.Unlock()
			c.Duration = 0
			calls = append(calls, c)
		}})
		_, _ = client.PhoneNumber(t.Context(), code, openid)
		for range 11 {
			_, _ = client.Exchange(t.Context(), code)
		}
		want := []wechat.Call{
			{Name: platform.CallToken, Class: auth.ErrWeChatBusy, ErrCode: -1, Sent: true},
			{Name: platform.CallToken, Sent: true},
			{Name: platform.CallPhone, Class: auth.ErrInvalidPhoneCode, ErrCode: 40029, Sent: true},
		}
		for range 10 {
			want = append(want, wechat.Call{Name: platform.CallLogin, Class: auth.ErrWeChatUnreadable, Sent: true})
		}
		want = append(want, wechat.Call{Name: platform.CallLogin, Class: auth.ErrWeChatUnreachable})
		for i := range want {
			want[i].App = app
		}
		if fmt.Sprint(calls) != fmt.Sprint(want) {
			t.Fatalf("got  %v\nwant %v", calls, want)
		}
	})
}
