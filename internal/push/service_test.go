package push_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// payload returns the queue's payload of a message.
func payload(t testing.TB, p *callback.Push) []byte {
	t.Helper()
	b := newInbox()
	r, stop := newRouter(t, queue.NewLocal(limits, nil), b)
	defer stop()
	wantStored(t, r, p, push.Queued, nil)
	<-b.wake
	return b.got[0].Payload
}

// deliver sends a message to a service that responds with respond, and returns the requests of
// the service.
func deliver(t testing.TB, alg signing.Alg, payload []byte, respond http.HandlerFunc) (g *tokentest.Gateway, url string, got []*http.Request, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		got = append(got, r)
		respond(w, r)
	}))
	defer server.Close()
	g = tokentest.New(t, func(c *keyring.Config) { c.Alg = alg })
	url = server.URL + "/push?tenant=1"
	s := push.NewService(url, g.Tokens, nil)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = s.Send(ctx, queue.Message{ID: "ID1", Payload: payload})
	server.Close() // waits for the handler, which writes got
	return g, url, got, err
}

// TestRequest: a service gets WeChat's JSON unchanged, Cloud Hosting's headers, and an
// assertion over both.
func TestRequest(t *testing.T) {
	t.Parallel()
	withUnion := event("o1", "subscribe", 1)
	withUnion.UnionID = "u1"
	odd := text("o1", "1")
	odd.Message = []byte("{ \"Content\" : \"<&>\u2028 \\u4f60\",\n\"MsgId\":1e0 }") // encoders don't write this
	for name, row := range map[string]struct {
		p    *callback.Push
		want http.Header
	}{
		"a text":         {odd, http.Header{"X-Wx-Openid": {"o1"}}},
		"with a unionid": {withUnion, http.Header{"X-Wx-Openid": {"o1"}, "X-Wx-Unionid": {"u1"}}},
		"without a user": {event("", "wxa_media_check", 1), http.Header{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, url, got, err := deliver(t, signing.EdDSA, payload(t, row.p), func(http.ResponseWriter, *http.Request) {})
			if err != nil || len(got) != 1 {
				t.Fatalf("%d requests, %v", len(got), err)
			}
			r := got[0]
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodPost || r.RequestURI != "/push?tenant=1" || string(body) != string(row.p.Message) {
				t.Errorf("%s %s %s", r.Method, r.RequestURI, body)
			}
			assertion := r.Header.Get("X-WX-ASSERTION")
			row.want.Set("X-WX-APPID", string(app))
			row.want.Set("X-WX-SOURCE", "wx_push")
			row.want.Set("X-WX-ASSERTION", assertion)
			row.want.Set("Content-Type", "application/json")
			row.want.Set("User-Agent", "wxgate")
			for _, ours := range []string{"Accept-Encoding", "Content-Length"} {
				r.Header.Del(ours)
			}
			if !reflect.DeepEqual(r.Header, row.want) {
				t.Errorf("header %v\nwant   %v", r.Header, row.want)
			}
			sum := sha256.Sum256(body)
			typ, got1 := g.Claims(t, assertion)
			want := map[string]any{
				"iss": "wxgate", "aud": url, "jti": "ID1", "client_id": string(app),
				"iat": float64(tokentest.Start.Unix()), "exp": float64(tokentest.Start.Add(time.Minute).Unix()),
				"body_sha256": base64.RawURLEncoding.EncodeToString(sum[:]),
			}
			if row.p.From != "" {
				want["sub"] = string(row.p.From)
			}
			if typ != "wx-push+jwt" || !reflect.DeepEqual(got1, want) {
				t.Errorf("%v %v\nwant %v", typ, got1, want)
			}
			if _, err := g.Verify(assertion); !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("as an access token: %v", err)
			}
		})
	}
}

// TestResponses is the fault table of a service's responses: only a 2xx status is a success. A
// redirect is not followed. The rest of a long or truncated response is not awaited.
func TestResponses(t *testing.T) {
	t.Parallel()
	respond := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	hijack := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}
	}
	status := func(code int) error { return &queue.StatusError{Status: code} }
	for name, row := range map[string]struct {
		respond http.HandlerFunc
		want    error // nil for delivered
		any     bool  // any network error
	}{
		"200":                 {respond(200, "success"), nil, false},
		"204":                 {respond(204, ""), nil, false},
		"huge":                {respond(200, strings.Repeat("x", 8<<20)), nil, false},
		"a truncated body":    {hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsucc"), nil, false},
		"a redirect":          {respond(307, ""), status(307), false},
		"a redirect with GET": {respond(302, ""), status(302), false},
		"not modified":        {respond(304, ""), status(304), false},
		"refused":             {respond(400, "no"), status(400), false},
		"failed":              {respond(500, strings.Repeat("x", 8<<20)), status(500), false},
		"cut":                 {hijack(""), nil, true},
		"a truncated header":  {hijack("HTTP/1.1 200 OK\r\nContent-"), nil, true},
		"not HTTP":            {hijack("SSH-2.0-OpenSSH\r\n"), nil, true},
		"a long header":       {hijack("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), nil, true},
		"slow":                {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, got, err := deliver(t, signing.EdDSA, payload(t, text("o1", "1")), row.respond)
			if len(got) != 1 {
				t.Errorf("%d requests", len(got))
			}
			var failure *queue.StatusError
			switch {
			case row.any:
				if err == nil {
					t.Error("no error")
				}
			case errors.As(row.want, &failure):
				var found *queue.StatusError
				if !errors.As(err, &found) || *found != *failure {
					t.Errorf("got %v, want %v", err, failure)
				}
			case !errors.Is(err, row.want):
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// TestSharedSecret: an assertion is never signed with a secret that the service would have to
// know.
func TestSharedSecret(t *testing.T) {
	t.Parallel()
	_, _, got, err := deliver(t, signing.HS256, payload(t, text("o1", "1")), func(http.ResponseWriter, *http.Request) {})
	if !errors.Is(err, queue.ErrRefused) || len(got) != 0 {
		t.Errorf("%d requests, %v", len(got), err)
	}
}

// TestUnreadable: an invalid payload is refused, and not retried.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"x", "{}"} {
		_, _, got, err := deliver(t, signing.EdDSA, []byte(payload), func(http.ResponseWriter, *http.Request) {})
		if !errors.Is(err, queue.ErrRefused) || len(got) != 0 {
			t.Errorf("%s: %d requests, %v", payload, len(got), err)
		}
	}
}
