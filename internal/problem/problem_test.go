package problem_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// written returns the response for a problem.
func written(t *testing.T, p *problem.Problem) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Write(w, "the-request"); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWrite compares whole responses: clients parse every part of them.
func TestWrite(t *testing.T) {
	t.Parallel()
	const docs = `{"type":"https://github.com/wxgate/wxgate/blob/main/docs/api.md#code-`
	platform := &auth.PlatformError{Class: auth.ErrWeChatBusy, Code: -1, Message: "system error", RetryAfter: 90 * time.Second}
	extended := *problem.Of(auth.ErrMissingToken)
	extended.Detail, extended.CodeNumber, extended.Extension = "", -1, jsontext.Value(`{"error":"ERR"}`)
	for name, test := range map[string]struct {
		problem          *problem.Problem
		status           int
		challenge, retry string
		body             string
	}{
		"no token": {
			problem.Of(auth.ErrMissingToken), 401, `Bearer realm="wxgate"`, "",
			docs + `missing_token","status":401,"title":"Unauthorized","code":"missing_token","detail":"Send the access token returned by login as \"Authorization: Bearer <token>\".","instance":"the-request"}`,
		},
		"forbidden": {
			problem.Forbidden("Web pages may not call this."), 403, "", "",
			docs + `forbidden","status":403,"title":"Forbidden","code":"forbidden","detail":"Web pages may not call this.","instance":"the-request"}`,
		},
		"platform": {
			problem.Of(fmt.Errorf("login: %w", platform)), 503, "", "90",
			docs + `wechat_busy","status":503,"title":"Service Unavailable","code":"wechat_busy","detail":"WeChat is busy. Wait as Retry-After says, then try again with a new code.","instance":"the-request","errcode":-1}`,
		},
		"method": {
			problem.MethodNotAllowed("This call takes POST."), 405, "", "",
			docs + `invalid_request","status":405,"title":"Method Not Allowed","code":"invalid_request","detail":"This call takes POST.","instance":"the-request"}`,
		},
		"limit rounds up": {
			problem.Of(&auth.LimitError{RetryAfter: 1001 * time.Millisecond}), 429, "", "2",
			docs + `rate_limited","status":429,"title":"Too Many Requests","code":"rate_limited","detail":"Too many requests. Wait as Retry-After says, then try again; a code must be a new one.","instance":"the-request"}`,
		},
		"a login too old": { // RFC 9470 section 3
			problem.Of(&auth.LoginTooOldError{MaxAge: 90 * time.Second}), 401,
			`Bearer realm="wxgate", error="insufficient_user_authentication", error_description="This path requires a recent login; a refresh does not count. Log in again with wx.login, and repeat the request with the new access token.", max_age="90"`, "",
			docs + `login_too_old","status":401,"title":"Unauthorized","code":"login_too_old","detail":"This path requires a recent login; a refresh does not count. Log in again with wx.login, and repeat the request with the new access token.","instance":"the-request"}`,
		},
		"503 has a default": {
			problem.Of(auth.ErrStoreUnavailable), 503, "", "1",
			docs + `store_unavailable","status":503,"title":"Service Unavailable","code":"store_unavailable","detail":"The gateway cannot reach its session store. Keep both tokens, wait as Retry-After says, then repeat the request.","instance":"the-request"}`,
		},
		"extended": {
			&extended, 401, `Bearer realm="wxgate"`, "",
			docs + `missing_token","status":401,"title":"Unauthorized","code":-1,"instance":"the-request","error":"ERR"}`,
		},
		"without a class": {
			problem.Of(errors.New("a secret cause")), 500, "", "",
			docs + `internal","status":500,"title":"Internal Server Error","code":"internal","detail":"The gateway failed; its log says why. Contact its operator.","instance":"the-request"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := written(t, test.problem)
			if got := w.Body.String(); w.Code != test.status || got != test.body {
				t.Errorf("%d %s\nwant %d %s", w.Code, got, test.status, test.body)
			}
			for header, want := range map[string]string{
				"WWW-Authenticate": test.challenge, "Retry-After": test.retry,
				"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

// TestChallengeNamesTheError: RFC 6750 section 3.1.
func TestChallengeNamesTheError(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`error="invalid_token", error_description="The access token has expired.`:      auth.ErrTokenExpired,
		`error="insufficient_scope", error_description="This path requires a verified`: auth.ErrPhoneRequired,
	} {
		if got := written(t, problem.Of(err)).Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="wxgate", `+want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// siblingError is an error of an app on another platform.
type siblingError struct{ error }

func (e siblingError) Unwrap() error { return e.error }

func (siblingError) Detail(class string) string { return strings.ReplaceAll(class, "wx.", "tt.") }

func TestDetailOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	p := problem.Of(siblingError{auth.ErrCodeUsed})
	if want := "Each login code works once. Call tt.login for a new code."; p.Detail != want {
		t.Errorf("%q, want %q", p.Detail, want)
	}
	if p := problem.Of(auth.ErrUnsupported); p.Code != "invalid_request" || !strings.Contains(p.Detail, "does not support this call") {
		t.Errorf("%+v", p)
	}
}

// TestOfAProblem: Of returns a problem unchanged, and the log gets its cause.
func TestOfAProblem(t *testing.T) {
	t.Parallel()
	p := problem.BadRequest("Send the field code.")
	if got := problem.Of(fmt.Errorf("reading: %w", p)); got != p {
		t.Errorf("%+v", got)
	}
	if !errors.Is(p, auth.ErrInvalidRequest) || p.Error() != "invalid_request: invalid request" {
		t.Errorf("%v", p)
	}
}

// TestProblemsAreShared: a problem may be shared by all requests, so writing it must not change
// it. The race detector reports changes.
func TestProblemsAreShared(t *testing.T) {
	t.Parallel()
	shared := problem.BadRequest("Send one access token, in one place.")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if w := httptest.NewRecorder(); shared.Write(w, "") != nil || w.Code != http.StatusBadRequest {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
}
