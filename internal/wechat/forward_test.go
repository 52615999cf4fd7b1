package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

const checkPicture = "/wxa/img_sec_check"

const goodToken2 = `{"access_token":"SECRETtoken-2","expires_in":7200}`

func forward(t testing.TB, client *wechat.Client, out wechat.Outgoing) (*http.Response, string, error) {
	t.Helper()
	if out.Method == "" {
		out.Method = http.MethodPost
	}
	if out.Path == "" {
		out.Path = checkPicture
	}
	resp, err := client.Forward(t.Context(), out)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func content(s string) (io.Reader, int64) { return strings.NewReader(s), int64(len(s)) }

// endless returns a body of n bytes whose length is unknown.
func endless(n int64) io.Reader { return io.LimitReader(zeroes{}, n) }

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// echoes responds with the request that it received.
func echoes(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	w.Header().Set("Location", "/there?"+r.URL.RawQuery)
	w.WriteHeader(http.StatusFound)
	_, _ = fmt.Fprintf(w, "%s %s %s %d", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), len(body))
}

func TestForwardAddsOnlyTheToken(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, echoes)
	client := dial(t, p)
	body, length := content("hello")
	resp, got, err := forward(t, client, wechat.Outgoing{
		Query: "b=2&a=1", Header: http.Header{"Content-Type": {"text/x"}}, Body: body, Length: length,
	})
	wantErr(t, err, nil)
	if want := "POST /wxa/img_sec_check?access_token=SECRETtoken-1&b=2&a=1 text/x 5"; got != want || resp.StatusCode != http.StatusFound {
		t.Errorf("got %d %q, want %q", resp.StatusCode, got, want)
	}
	if got := resp.Header.Get("Location"); strings.Contains(got, "SECRET") || !strings.HasPrefix(got, "/there?") {
		t.Errorf("Location: %q", got)
	}
	wantCalls(t, p, checkPicture, 1) // a redirect is not followed
}

func TestForwardRetriesAStaleTokenOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []string{`40001`, `40014`, `42001`, `"42001"`} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			stale := respond(`{"errcode":` + code + `,"errmsg":"` + "\x01" + `"}`)
			var bodies []string
			ok := func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(body))
				respond(`{"errcode":0}`)(w, r)
			}
			p := newPlatform().on(tokenPath, respond(goodToken), respond(goodToken2)).on(checkPicture, stale, ok, stale, stale)
			client := dial(t, p)
			body, length := content("hello")
			_, got, err := forward(t, client, wechat.Outgoing{Body: body, Length: length})
			wantErr(t, err, nil)
			if got != `{"errcode":0}` || len(bodies) != 1 || bodies[0] != "hello" {
				t.Fatalf("got %q, WeChat got %q", got, bodies)
			}
			wantCalls(t, p, checkPicture, 2)
			wantCalls(t, p, tokenPath, 2)
			_, got, err = forward(t, client, wechat.Outgoing{})
			wantErr(t, err, nil)
			if !strings.Contains(got, "errcode") { // WeChat's response, if the second token is refused too
				t.Fatalf("got %q", got)
			}
			wantCalls(t, p, checkPicture, 4)
		})
	}
}

// A response that does not refuse the token is returned unchanged, after one call.
func TestForwardKeepsOtherResponses(t *testing.T) {
	t.Parallel()
	long := `{"errcode":40001,"padding":"` + strings.Repeat("x", 2<<10) + `"}`
	for name, response := range map[string]string{
		"empty": "", "HTML": "<html>40001", "another errcode": `{"errcode":40029}`, "half": `{"errcode":40001`,
		"nested": `{"data":{"errcode":40001}}`, "long": long, "picture": "\x89PNG\x00{\"errcode\":40001}", "text": "40001",
		"no number": `{"errcode":"many"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, respondAs(http.StatusTeapot, "x/y", response))
			resp, got, err := forward(t, dial(t, p), wechat.Outgoing{})
			wantErr(t, err, nil)
			if got != response || resp.StatusCode != http.StatusTeapot || resp.Header.Get("Content-Type") != "x/y" {
				t.Fatalf("got %d %q", resp.StatusCode, got)
			}
			wantCalls(t, p, checkPicture, 1)
		})
	}
}

func TestForwardBodies(t *testing.T) {
	t.Parallel()
	stale := respond(`{"errcode":42001}`)
	for name, row := range map[string]struct {
		size   int64
		length int64
		calls  int
		want   error
	}{
		"none":                     {0, 0, 2, nil},
		"unknown and empty":        {0, -1, 2, nil},
		"unknown":                  {1000, -1, 2, nil},
		"buffered, maximum length": {wechat.MaxReplayBytes, wechat.MaxReplayBytes, 2, nil},
		"unknown, maximum length":  {wechat.MaxReplayBytes, -1, 2, nil},
		"too long to buffer":       {wechat.MaxReplayBytes + 1, wechat.MaxReplayBytes + 1, 1, nil},
		"unknown and too long":     {wechat.MaxReplayBytes + 1, -1, 0, wechat.ErrLengthRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sizes := func(w http.ResponseWriter, r *http.Request) {
				if n, _ := io.Copy(io.Discard, r.Body); n != row.size || r.ContentLength != n {
					t.Errorf("WeChat got %d bytes with Content-Length %d, want %d", n, r.ContentLength, row.size)
				}
				stale(w, r)
			}
			p := newPlatform().on(tokenPath, respond(goodToken), respond(goodToken2)).on(checkPicture, sizes)
			_, _, err := forward(t, dial(t, p), wechat.Outgoing{Body: endless(row.size), Length: row.length})
			wantErr(t, err, row.want)
			wantCalls(t, p, checkPicture, row.calls)
		})
	}
}

// If a call with a stale token could not be repeated, the token is replaced for the next call.
func TestForwardDropsTheTokenOfACallThatCannotBeRetried(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken), respond(goodToken2)).on(checkPicture, respond(`{"errcode":42001}`), echoes)
	client := dial(t, p)
	const size = wechat.MaxReplayBytes + 1
	_, got, err := forward(t, client, wechat.Outgoing{Body: endless(size), Length: size})
	wantErr(t, err, nil)
	if got != `{"errcode":42001}` {
		t.Fatalf("got %q", got)
	}
	_, got, err = forward(t, client, wechat.Outgoing{})
	wantErr(t, err, nil)
	if !strings.Contains(got, "SECRETtoken-2") {
		t.Fatalf("got %q", got)
	}
}

// broken fails after n bytes, like the body of a caller that disconnects.
type broken struct{ n int }

func (b *broken) Read(p []byte) (int, error) {
	if b.n <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), b.n)
	b.n -= n
	return n, nil
}

func TestForwardCallersBodyBreaks(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	client := dial(t, p)
	for range 12 {
		for _, length := range []int64{-1, 1000, wechat.MaxReplayBytes * 2} {
			_, _, err := forward(t, client, wechat.Outgoing{Body: &broken{n: 500}, Length: length})
			wantErr(t, err, auth.ErrInvalidRequest)
		}
	}
	_, _, err := forward(t, client, wechat.Outgoing{}) // the breaker is closed
	wantErr(t, err, nil)
}

// A GET is made once, with or without a body, even if its kept-alive connection closes.
func TestForwardNeverRepeatsAGet(t *testing.T) {
	t.Parallel()
	resets := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	for _, body := range []string{"", "hello"} {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, echoes, resets, echoes)
		client := dial(t, p)
		get := func() error {
			from, length := content(body)
			_, _, err := forward(t, client, wechat.Outgoing{Method: http.MethodGet, Body: from, Length: length})
			return err
		}
		wantErr(t, get(), nil)
		wantErr(t, get(), auth.ErrWeChatUnreachable)
		wantCalls(t, p, checkPicture, 2)
	}
}

func TestForwardFailures(t *testing.T) {
	t.Parallel()
	truncated := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"errcode":0`)
	}
	t.Run("no token", func(t *testing.T) {
		t.Parallel()
		p := newPlatform().on(tokenPath, respond(`{"errcode":40125}`))
		_, _, err := forward(t, dial(t, p), wechat.Outgoing{})
		wantErr(t, err, auth.ErrAppMisconfigured)
		wantCalls(t, p, checkPicture, 0)
	})
	t.Run("a short response that ends early", func(t *testing.T) {
		t.Parallel()
		p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, truncated)
		_, _, err := forward(t, dial(t, p), wechat.Outgoing{})
		wantErr(t, err, auth.ErrWeChatUnreadable)
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(newPlatform().on(tokenPath, respond(goodToken)))
		client := mustClient(t, wechat.Config{API: server.URL})
		_, err := client.AccessTokens().Token(t.Context())
		wantErr(t, err, nil)
		server.Close()
		for range 10 {
			_, _, err = forward(t, client, wechat.Outgoing{})
			wantErr(t, err, auth.ErrWeChatUnreachable)
		}
		var refusal *auth.PlatformError
		if _, _, err = forward(t, client, wechat.Outgoing{}); !errors.As(err, &refusal) || refusal.RetryAfter == 0 {
			t.Fatalf("the breaker did not open: %v", err)
		}
		if got := client.Breaker(); got != "closed" {
			t.Errorf("forwarded calls made the breaker of logins %s", got)
		}
	})
}

// TestForwardTimes: the wait for a response and the time to read it are bounded.
func TestForwardTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, hangs)
		client := direct(t, p)
		started := time.Now()
		_, _, err := forward(t, client, wechat.Outgoing{})
		wantErr(t, err, auth.ErrWeChatTimeout)
		if took := time.Since(started); took != time.Minute {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Forward(ctx, wechat.Outgoing{Method: "POST", Path: checkPicture})
		wantErr(t, err, auth.ErrWeChatTimeout)
	})
}

// TestForwardIgnoresCallersWhoLeave: a caller whose deadline expires, or who hangs up, is not
// counted as a failure of WeChat.
func TestForwardIgnoresCallersWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := direct(t, newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, hangs))
		for range 20 {
			_, err := client.Forward(within(t, time.Second), wechat.Outgoing{Method: "POST", Path: checkPicture})
			wantErr(t, err, auth.ErrWeChatTimeout)
		}
		if got := client.ForwardBreaker(); got != "closed" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

func TestForwardIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(bytes.Repeat([]byte("x"), 2<<10))
		_ = http.NewResponseController(w).Flush()
		<-release
	}
	p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, slow).on(loginPath, respond(goodLogin))
	client := dial(t, p)
	var responses []*http.Response
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			resp, err := client.Forward(t.Context(), wechat.Outgoing{Method: "POST", Path: checkPicture})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			responses = append(responses, resp)
		})
	}
	group.Wait()
	_, _, err := forward(t, client, wechat.Outgoing{}) // the responses are not read yet
	wantErr(t, err, auth.ErrWeChatBusy)
	_, err = client.Exchange(t.Context(), code) // logins are not affected
	wantErr(t, err, nil)
	close(release)
	for _, resp := range responses {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		_ = resp.Body.Close()
	}
	_, _, err = forward(t, client, wechat.Outgoing{})
	wantErr(t, err, nil)
}

// silent is a body that was announced, but blocks until it is closed.
type silent struct{ waiting, closed chan struct{} }

func (s silent) Read([]byte) (int, error) {
	select {
	case s.waiting <- struct{}{}:
	default:
	}
	<-s.closed
	return 0, io.ErrUnexpectedEOF
}

// TestForwardWaitsForBodiesOutside: callers that announce a body and send nothing do not use up
// the limit of running calls.
func TestForwardWaitsForBodiesOutside(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"short": 10, "long": 2 * wechat.MaxReplayBytes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, newPlatform().on(tokenPath, respond(goodToken)).on(checkPicture, echoes))
			const callers = 64 // as many as may run at once
			body := silent{make(chan struct{}, callers), make(chan struct{})}
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					_, _, err := forward(t, client, wechat.Outgoing{Body: body, Length: length})
					if !errors.Is(err, auth.ErrInvalidRequest) {
						t.Errorf("a body that ended early: %v", err)
					}
				})
			}
			for range callers {
				<-body.waiting
			}
			honest, size := content("hello")
			if _, _, err := forward(t, client, wechat.Outgoing{Body: honest, Length: size}); err != nil {
				t.Errorf("a normal call: %v", err)
			}
			close(body.closed)
			all.Wait()
		})
	}
}
