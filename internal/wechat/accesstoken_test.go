package wechat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// numbered returns tokens 1, 2, 3 …, all with the same lifetime. Each response takes a second.
func numbered(seconds int) []http.HandlerFunc {
	var handlers []http.HandlerFunc
	for i := range 20 {
		handlers = append(handlers, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			respond(fmt.Sprintf(`{"access_token":"token-%d","expires_in":%d}`, i+1, seconds))(w, r)
		})
	}
	return handlers
}

func wantToken(t testing.TB, got string, err error, want string) {
	t.Helper()
	wantErr(t, err, nil)
	if got != want {
		t.Fatalf("got token %q, want %q", got, want)
	}
}

func TestTokenRequest(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/json" ||
			len(body) != 3 || body["grant_type"] != "client_credential" || body["appid"] != string(app) || body["secret"] != secret {
			t.Errorf("got %s %s %v", r.Method, r.URL, body)
		}
		respond(goodToken)(w, r)
	})
	got, err := dial(t, p).AccessTokens().Token(t.Context())
	wantToken(t, got, err, token)
}

func TestTokenResponses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		err  error
	}{
		"secret wrong":        {`{"errcode":40125,"errmsg":"invalid appsecret SECRET+app/secret="}`, auth.ErrAppMisconfigured},
		"secret refused":      {`{"errcode":40001,"errmsg":"invalid credential"}`, auth.ErrAppMisconfigured},
		"address":             {`{"errcode":40164,"errmsg":"invalid ip 1.2.3.4, not in whitelist"}`, auth.ErrAppMisconfigured},
		"no token":            {`{"expires_in":7200}`, auth.ErrWeChatUnreadable},
		"invalid token":       {`{"access_token":"a b","expires_in":7200}`, auth.ErrWeChatUnreadable},
		"no expires_in":       {`{"access_token":"SECRETa"}`, auth.ErrWeChatUnreadable},
		"expires_in 0":        {`{"access_token":"SECRETa","expires_in":0}`, auth.ErrWeChatUnreadable},
		"expires_in a string": {`{"access_token":"SECRETa","expires_in":"long"}`, auth.ErrWeChatUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := dial(t, newPlatform().on(tokenPath, respond(row.body))).AccessTokens().Token(t.Context())
			wantErr(t, err, row.err)
		})
	}
}

func TestTokenIsFetchedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(7200)...)
		tokens := direct(t, p).AccessTokens()
		if _, ok := tokens.Age(); ok {
			t.Fatal("there is a token before the first call")
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, err := tokens.Token(ctx); left <- err }()
		synctest.Wait()
		results := make(chan string, 50)
		for range cap(results) {
			go func() { got, _ := tokens.Token(t.Context()); results <- got }()
		}
		synctest.Wait()
		leave() // the caller who began the fetch
		wantErr(t, <-left, context.Canceled)
		for range cap(results) {
			wantToken(t, <-results, nil, "token-1")
		}
		wantCalls(t, p, tokenPath, 1)
		time.Sleep(time.Minute)
		if age, ok := tokens.Age(); !ok || age != time.Minute+time.Second {
			t.Fatalf("got age %v, %v", age, ok)
		}
	})
}

func TestTokenIsRenewedEarlyWithoutWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(7200)...)
		tokens := direct(t, p).AccessTokens()
		ask := func(want string) {
			t.Helper()
			started := time.Now()
			got, err := tokens.Token(t.Context())
			wantToken(t, got, err, want)
			if took := time.Since(started); took > 0 && want != "token-1" {
				t.Fatalf("the caller waited %v", took)
			}
		}
		ask("token-1")
		time.Sleep(7200*time.Second - 5*time.Minute - 2*time.Second)
		ask("token-1") // one second before renewal is due
		synctest.Wait()
		wantCalls(t, p, tokenPath, 1)
		time.Sleep(time.Second)
		for range 10 {
			ask("token-1")
		}
		time.Sleep(2 * time.Second)
		wantCalls(t, p, tokenPath, 2)
		ask("token-2")
	})
}

// Until WeChat replaces the token, an early renewal returns the same token with less time left.
// So renewals are spaced.
func TestTokenRenewalsAreSpaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(200)...)
		tokens := direct(t, p).AccessTokens()
		for range 60 { // one call a second for a minute
			_, err := tokens.Token(t.Context())
			wantErr(t, err, nil)
			time.Sleep(time.Second)
		}
		if got := p.count(tokenPath); got > 3 {
			t.Fatalf("%d fetches in a minute", got)
		}
	})
}

func TestTokenIsFetchedAgainAfterItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(7200)...)
		tokens := direct(t, p).AccessTokens()
		got, err := tokens.Token(t.Context())
		wantToken(t, got, err, "token-1")
		time.Sleep(2 * time.Hour)
		got, err = tokens.Token(t.Context())
		wantToken(t, got, err, "token-2")
	})
}

func TestTokenLifetimeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, numbered(1<<32)...)
		tokens := direct(t, p).AccessTokens()
		_, err := tokens.Token(t.Context())
		wantErr(t, err, nil)
		time.Sleep(2 * time.Hour)
		got, err := tokens.Token(t.Context())
		wantToken(t, got, err, "token-2")
	})
}
