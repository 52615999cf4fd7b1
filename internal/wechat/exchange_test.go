package wechat_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

func TestExchangeResponses(t *testing.T) {
	t.Parallel()
	whole := auth.LoginResult{OpenID: openid, UnionID: "u1", SessionKey: sampleKey}
	bare := auth.LoginResult{OpenID: openid, SessionKey: sampleKey}
	const start = `{"openid":"oABCDEFGHIJKLMNOPQRSTUVWXYZ0","session_key":`
	for name, row := range map[string]struct {
		response http.HandlerFunc
		want     auth.LoginResult
		err      error
	}{
		"documented":                 {response: respond(goodLogin), want: whole},
		"as HTML":                    {response: respondAs(200, "text/html; charset=gbk", goodLogin), want: whole},
		"no unionid":                 {response: respond(start + `"` + sampleKey + `"}`), want: bare},
		"errcode 0":                  {response: respond(start + `"` + sampleKey + `","errcode":0,"errmsg":"ok"}`), want: bare},
		"errcode string 0":           {response: respond(start + `"` + sampleKey + `","errcode":"0"}`), want: bare},
		"errcode null":               {response: respond(start + `"` + sampleKey + `","errcode":null}`), want: bare},
		"expires_in":                 {response: respond(start + `"` + sampleKey + `","expires_in":7200}`), want: bare},
		"control characters":         {response: respond(start + `"` + sampleKey + `","errmsg":"a` + "\x01\n" + `b"}`), want: bare},
		"empty":                      {response: respond(""), err: auth.ErrWeChatUnreadable},
		"empty gbk HTML":             {response: respondAs(200, "text/html; charset=gbk", ""), err: auth.ErrWeChatUnreadable},
		"HTML":                       {response: respond("<html><body>secret=SECRET</body></html>"), err: auth.ErrWeChatUnreadable},
		"truncated":                  {response: respond(goodLogin[:40]), err: auth.ErrWeChatUnreadable},
		"array":                      {response: respond(`[]`), err: auth.ErrWeChatUnreadable},
		"null":                       {response: respond(`null`), err: auth.ErrWeChatUnreadable},
		"two objects":                {response: respond(goodLogin + goodLogin), err: auth.ErrWeChatUnreadable},
		"two openids":                {response: respond(`{"openid":"a",` + goodLogin[1:]), err: auth.ErrWeChatUnreadable},
		"openid missing":             {response: respond(`{"session_key":"` + sampleKey + `"}`), err: auth.ErrWeChatUnreadable},
		"openid empty":               {response: respond(`{"openid":"","session_key":"` + sampleKey + `"}`), err: auth.ErrWeChatUnreadable},
		"openid a number":            {response: respond(`{"openid":1,"session_key":"` + sampleKey + `"}`), err: auth.ErrWeChatUnreadable},
		"openid with a newline":      {response: respond(`{"openid":"a\nb","session_key":"` + sampleKey + `"}`), err: auth.ErrWeChatUnreadable},
		"unionid invalid":            {response: respond(start + `"` + sampleKey + `","unionid":"a b"}`), err: auth.ErrWeChatUnreadable},
		"session_key missing":        {response: respond(start + `""}`), err: auth.ErrWeChatUnreadable},
		"session_key too long":       {response: respond(start + `"` + strings.Repeat("A", 129) + `"}`), err: auth.ErrWeChatUnreadable},
		"session_key with a newline": {response: respond(start + `"tiihtNczf5v6\nAKRyjwEUhQ=="}`), err: auth.ErrWeChatUnreadable},
		"too long":                   {response: respond(goodLogin + strings.Repeat(" ", 64<<10)), err: auth.ErrWeChatUnreadable},
		"404 HTML":                   {response: respondAs(404, "text/html", "<html>"), err: auth.ErrWeChatUnreadable},
		"500 with a login":           {response: respondAs(500, "application/json", goodLogin), err: auth.ErrWeChatUnreadable},
		"500 with errcode":           {response: respondAs(500, "application/json", `{"errcode":40029}`), err: auth.ErrInvalidCode},
		"bad code":                   {response: respond(`{"errcode":40029,"errmsg":"invalid code"}`), err: auth.ErrInvalidCode},
		"bad code, string":           {response: respond(`{"errcode":"40029","errmsg":"invalid code"}`), err: auth.ErrInvalidCode},
		"bad code, GBK":              {response: respond(`{"errcode":40029,"errmsg":"` + "\xce\xde\xd0\xa7" + `"}`), err: auth.ErrInvalidCode},
		"echo": {
			response: respond(`{"errcode":40029,"errmsg":"js_code SECRETcode&0001 SECRETcode%260001 SECRET+app/secret= SECRET%2Bapp%2Fsecret%3D"}`),
			err:      auth.ErrInvalidCode,
		},
		"errcode not a number": {response: respond(`{"errcode":"bad"}`), err: auth.ErrWeChatUnreadable},
		"errcode 1.5":          {response: respond(`{"errcode":1.5}`), err: auth.ErrWeChatUnreadable},
		"redirect": {response: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", loginPath)
			w.WriteHeader(http.StatusFound)
		}, err: auth.ErrWeChatUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(loginPath, row.response)
			got, err := dial(t, p).Exchange(t.Context(), code)
			wantErr(t, err, row.err)
			if got != row.want {
				t.Fatalf("got %+v, want %+v", got, row.want)
			}
			wantCalls(t, p, loginPath, 1)
		})
	}
}

func TestExchangeSends(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(loginPath, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Method != http.MethodGet || len(query) != 4 || query.Get("appid") != string(app) ||
			query.Get("secret") != secret || query.Get("js_code") != code || query.Get("grant_type") != "authorization_code" {
			t.Errorf("got %s %v", r.Method, query)
		}
		if len(r.TransferEncoding) != 0 || r.ContentLength != 0 {
			t.Errorf("a GET with a body: %v, %d bytes", r.TransferEncoding, r.ContentLength)
		}
		respond(goodLogin)(w, r)
	})
	_, err := dial(t, p).Exchange(t.Context(), code)
	wantErr(t, err, nil)
}

func TestExchangeRefusesInvalidCodes(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(loginPath, respond(goodLogin))
	client := dial(t, p)
	for name, bad := range map[string]string{
		"empty": "", "long": strings.Repeat("a", 513), "space": "a b", "newline": "a\n", "DEL": "a\x7f", "wide": "ａ",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Exchange(t.Context(), bad)
			wantErr(t, err, auth.ErrInvalidRequest)
		})
	}
	wantCalls(t, p, loginPath, 0)
	_, err := client.Exchange(t.Context(), strings.Repeat("a", 512))
	wantErr(t, err, nil)
}

func TestExchangeUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	_, err = mustClient(t, wechat.Config{API: "http://" + listener.Addr().String()}).Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrWeChatUnreachable)
}

func TestExchangeTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(loginPath, hangs)
		started := time.Now()
		_, err := direct(t, p).Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrWeChatTimeout)
		if took := time.Since(started); took != 5*time.Second {
			t.Fatalf("gave up after %v", took)
		}
		wantCalls(t, p, loginPath, 1)
	})
}

// Many callers with the same code share one call. A caller who leaves does not end it.
func TestExchangeIsShared(t *testing.T) {
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
		const callers = 20
		failures := make(chan error, callers)
		first, leave := context.WithCancel(t.Context())
		for i := range callers {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			go func() {
				who, err := client.Exchange(ctx, code)
				if err == nil && who.OpenID != openid {
					err = errors.New("a response of another user")
				}
				failures <- err
			}()
			synctest.Wait() // the caller who started the call leaves
		}
		leave()
		left := <-failures
		wantErr(t, left, auth.ErrWeChatTimeout)
		wantErr(t, left, context.Canceled)
		close(release)
		for range callers - 1 {
			wantErr(t, <-failures, nil)
		}
		wantCalls(t, p, loginPath, 1)

		_, err := client.Exchange(t.Context(), code)
		wantErr(t, err, nil)
		wantCalls(t, p, loginPath, 2) // the result was not cached
	})
}

func TestExchangeKeepsCodesApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(loginPath, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			respond(strings.Replace(goodLogin, string(openid), r.URL.Query().Get("js_code"), 1))(w, r)
		})
		client := direct(t, p)
		results := make(chan error, 2)
		for _, code := range []string{"a", "b"} {
			go func() {
				who, err := client.Exchange(t.Context(), code)
				if err == nil && string(who.OpenID) != code {
					err = errors.New("the user of another code")
				}
				results <- err
			}()
		}
		wantErr(t, <-results, nil)
		wantErr(t, <-results, nil)
		wantCalls(t, p, loginPath, 2)
	})
}

func TestExchangeOfACallerWhoLeftSpendsNoCode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(loginPath, respond(goodLogin))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := direct(t, p).Exchange(ctx, code)
		wantErr(t, err, auth.ErrWeChatTimeout)
		synctest.Wait()
		wantCalls(t, p, loginPath, 0)
	})
}

func TestCloseEndsLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := direct(t, newPlatform().on(loginPath, hangs))
		failed := make(chan error, 1)
		go func() {
			_, err := client.Exchange(t.Context(), code)
			failed <- err
		}()
		synctest.Wait()
		closed := time.Now()
		client.Close()
		if took := time.Since(closed); took != 0 {
			t.Fatalf("closing took %v", took)
		}
		wantErr(t, <-failed, auth.ErrWeChatTimeout)
		_, err := client.Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrWeChatUnreachable)
	})
}

// TestExchangeKeepsInvalidKeys: a login succeeds although its session_key cannot decrypt
// anything. Only a decryption fails.
func TestExchangeKeepsInvalidKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"AAAA", "not-base64!", "tiihtNczf5v6AKRyjwEUhQ"} {
		client := dial(t, newPlatform().on(loginPath, respond(`{"openid":"o1","session_key":"`+key+`"}`)))
		got, err := client.Exchange(t.Context(), "code")
		if err != nil || got.OpenID != "o1" {
			t.Errorf("key %q: %+v, %v", key, got, err)
			continue
		}
		_, err = client.Open([]auth.SessionKey{{Key: got.SessionKey}}, auth.OpenData{EncryptedData: "AAAAAAAAAAAAAAAAAAAAAA==", IV: "AAAAAAAAAAAAAAAAAAAAAA=="})
		if !errors.Is(err, auth.ErrDecryptFailed) {
			t.Errorf("key %q: opened with %v, want ErrDecryptFailed", key, err)
		}
	}
}
