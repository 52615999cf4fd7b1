package caddymodule

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

// problem is an RFC 9457 problem document. Code is the stable word that clients
// program against; Detail tells a developer what to do next. Neither says more
// than the class of the failure: the cause is for the log.
type problem struct {
	Status  int
	Code    string
	Detail  string
	Errcode int

	wafer      *waferMembers // nil but on sites that serve the Wafer SDKs
	loginAgain bool          // the code is waferLoginAgain in place of a word
	cause      error
	retryAfter time.Duration
	bearer     string // RFC 6750 error of the challenge; "" with status 401: no error code
}

// class is one row of what clients may learn.
type class struct {
	err    error
	status int
	code   string
	bearer string
	detail string
}

// The error codes of RFC 6750 section 3.1.
const (
	bearerInvalidToken      = "invalid_token"
	bearerInsufficientScope = "insufficient_scope"
)

// Advice that several codes share. Every detail of a class ends with the advice
// that docs/api.md and docs/sessions.md give for its code, word for word, so that
// a client is never given two instructions; a test compares them.
const (
	// adviseRefresh also holds for invalid_token: a refresh succeeds after the
	// signing key was retired.
	adviseRefresh = "Refresh once; if the refresh is refused, log in again with wx.login."
	adviseLogin   = "Forget both tokens and log in again with wx.login."
)

// detailUnsupported is for what only WeChat has: phone codes are what a client may
// try elsewhere.
const detailUnsupported = "This mini program's platform has no such call. A phone number comes as encrypted_data and iv there."

// detailInternal is for an error of no class.
const detailInternal = "The gateway failed; its log says why. Contact its operator."

// defaultRetryAfter is for a 503 whose platform named no time: long enough for a
// busy moment to pass, short enough for a person who waits.
const defaultRetryAfter = time.Second

// classes maps every sentinel to its answer. The order matters only for errors
// that wrap two: the first that matches wins. The detail of [auth.ErrForbidden] is
// for the only login that has it, WeCom's; other callers have details of their own.
var classes = []class{
	{auth.ErrMissingToken, http.StatusUnauthorized, "missing_token", "", `Send the access token returned by login as "Authorization: Bearer <token>".`},
	{auth.ErrTokenExpired, http.StatusUnauthorized, "token_expired", bearerInvalidToken, "The access token has expired. " + adviseRefresh},
	{auth.ErrSessionRevoked, http.StatusUnauthorized, "session_revoked", bearerInvalidToken, "The session has ended. " + adviseLogin},
	{auth.ErrRefreshReused, http.StatusUnauthorized, "refresh_reused", bearerInvalidToken, "The refresh token was used before, so the session was ended. " + adviseLogin},
	{auth.ErrInvalidToken, http.StatusUnauthorized, "invalid_token", bearerInvalidToken, "The token is not valid here. " + adviseRefresh},
	{auth.ErrSessionStale, http.StatusUnauthorized, "session_stale", bearerInvalidToken, "The platform's session for this user is over. Log in again with wx.login, then ask the user again."},
	{auth.ErrInvalidCode, http.StatusUnauthorized, "invalid_code", "", "WeChat refused the login code: it is wrong, older than 5 minutes, or a phone code. Call wx.login for a new code."},
	{auth.ErrInvalidPhoneCode, http.StatusBadRequest, "invalid_code", "", "WeChat refused the phone code: it is wrong, used, older than 5 minutes, another user's, or a login code. Ask the user to press the button again."},
	{auth.ErrCodeUsed, http.StatusUnauthorized, "code_used", "", "Each login code works once. Call wx.login for a new code."},
	{auth.ErrRiskBlocked, http.StatusForbidden, "risk_blocked", "", "WeChat considers this user a high risk and refuses the login. Tell the user; do not retry."},
	{auth.ErrPhoneRequired, http.StatusForbidden, "phone_required", bearerInsufficientScope, "This path requires a verified phone number. Ask for the phone number with getPhoneNumber, call decode, and repeat the request with the access token that decode returns."},
	{auth.ErrUnionIDRequired, http.StatusForbidden, "unionid_required", bearerInsufficientScope, "This path requires a unionid, and this user has none. Do not retry: bind the mini program to a WeChat Open Platform account, then log in again with wx.login."},
	{auth.ErrAppNotAdmitted, http.StatusForbidden, "app_not_admitted", bearerInsufficientScope, "This site or path does not admit the mini program that the token is of. Do not retry: use a site or path that admits the mini program."},
	{auth.ErrForbidden, http.StatusForbidden, "forbidden", "", "The user belongs to another company than the mini program."},
	{auth.ErrNotFound, http.StatusNotFound, "not_found", "", "No call of the login API has this path. Fix the client: the calls are openId, decode, userInfo, refresh, logout, revoke, session, live and ready, in this spelling."},
	{auth.ErrUnknownApp, http.StatusBadRequest, "unknown_app", "", "This mini program is not served here. Fix the appid in the client, or configure the mini program at the gateway."},
	{auth.ErrDecryptFailed, http.StatusBadRequest, "decrypt_failed", "", "The data cannot be decrypted with this user's session keys. Log in again with wx.login, then ask the user again."},
	{auth.ErrWatermarkMismatch, http.StatusBadRequest, "watermark_mismatch", "", "The data was made for another mini program. Fix the client."},
	{auth.ErrWatermarkStale, http.StatusBadRequest, "watermark_stale", "", "The data is too old. Ask the user again."},
	{auth.ErrRateLimited, http.StatusTooManyRequests, "rate_limited", "", "Too many requests. Wait as Retry-After says, then try again; a code must be a new one."},
	{auth.ErrAppMisconfigured, http.StatusInternalServerError, "app_misconfigured", "", "The gateway is misconfigured for this mini program. Contact its operator."},
	{auth.ErrWeChatBusy, http.StatusServiceUnavailable, "wechat_busy", "", "WeChat is busy. Wait as Retry-After says, then try again with a new code."},
	{auth.ErrWeChatTimeout, http.StatusGatewayTimeout, "wechat_timeout", "", "WeChat did not respond in time. Try again with a new code."},
	{auth.ErrWeChatUnreachable, http.StatusServiceUnavailable, "wechat_unreachable", "", "WeChat cannot be reached. Wait as Retry-After says, then try again with a new code."},
	{auth.ErrWeChatUnreadable, http.StatusBadGateway, "wechat_unreadable", "", "WeChat's response cannot be read. Try again with a new code."},
	{auth.ErrStoreUnavailable, http.StatusServiceUnavailable, "store_unavailable", "", "The gateway cannot reach its session store. Keep both tokens, wait as Retry-After says, then repeat the request."},
	{auth.ErrInvalidRequest, http.StatusBadRequest, "invalid_request", "", "The request is not valid for this call."},
}

// problemOf is the one place where an error becomes an answer. An error of no
// class is a bug of ours, and says nothing but that.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, c := range classes {
		if !errors.Is(err, c.err) {
			continue
		}
		p = &problem{Status: c.status, Code: c.code, Detail: c.detail, bearer: c.bearer, cause: err}
		if errors.Is(err, auth.ErrUnsupported) {
			p.Detail = detailUnsupported
		}
		if at, ok := errors.AsType[*appError](err); ok {
			p.Detail = at.detail(p.Detail)
		}
		if platform, ok := errors.AsType[*auth.PlatformError](err); ok {
			p.Errcode, p.retryAfter = platform.Code, platform.RetryAfter
		}
		if limit, ok := errors.AsType[*auth.LimitError](err); ok {
			p.retryAfter = limit.RetryAfter
		}
		if p.Status == http.StatusServiceUnavailable && p.retryAfter == 0 {
			p.retryAfter = defaultRetryAfter
		}
		return p
	}
	return &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: detailInternal, cause: err}
}

// badRequest is an [auth.ErrInvalidRequest] whose detail says what to change.
// The detail must never quote the request.
func badRequest(detail string) *problem {
	return &problem{Status: http.StatusBadRequest, Code: "invalid_request", Detail: detail, cause: auth.ErrInvalidRequest}
}

func (p *problem) Error() string { return p.Code + ": " + p.cause.Error() }

func (p *problem) Unwrap() error { return p.cause }

// docsOfCode is the URL of a code's entry in the documentation, but for the code.
const docsOfCode = "https://github.com/wxgate/wxgate/blob/main/docs/api.md#code-"

// write sends the problem as the response to r. Every 401 carries a challenge (RFC 9110 section
// 15.5.2), whose error code is left out when no token was sent (RFC 6750
// section 3.1). The access log gets the code and the request ID. It does not change
// the problem: requests share problems.
func (p *problem) write(w http.ResponseWriter, r *http.Request) error {
	logCode(r, p.Code)
	body, err := json.Marshal(p.document(requestID(r)))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if challenge := p.challenge(); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if p.retryAfter > 0 {
		seconds := int64((p.retryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	w.WriteHeader(p.Status)
	_, err = w.Write(body) //nolint:gosec // G705: JSON of constants, served as JSON
	return err
}

// problemDocument is a problem as clients read it.
type problemDocument struct {
	Type          string `json:"type"`
	Status        int    `json:"status"`
	Title         string `json:"title"`
	Code          any    `json:"code"` // a word, or waferLoginAgain
	Detail        string `json:"detail,omitzero"`
	Instance      string `json:"instance,omitzero"` // the request ID
	Errcode       int    `json:"errcode,omitzero"`
	*waferMembers `json:",embed"`
}

func (p *problem) document(instance string) problemDocument {
	d := problemDocument{docsOfCode + p.Code, p.Status, http.StatusText(p.Status), p.Code, p.Detail, instance, p.Errcode, p.wafer}
	if p.loginAgain {
		d.Code = waferLoginAgain
	}
	return d
}

func (p *problem) challenge() string {
	switch {
	case p.Status != http.StatusUnauthorized && p.bearer == "":
		return ""
	case p.bearer == "":
		return `Bearer realm="wxgate"`
	default:
		return `Bearer realm="wxgate", error="` + p.bearer + `", error_description="` + p.Detail + `"`
	}
}
