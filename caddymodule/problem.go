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

const bearerInvalidToken = "invalid_token"

// detailUnsupported is for what only WeChat has: phone codes are what a client may
// try elsewhere.
const detailUnsupported = "This mini program's platform has no such call. A phone number comes as encrypted_data and iv there."

// defaultRetryAfter is for a 503 whose platform named no time: long enough for a
// busy moment to pass, short enough for a person who waits.
const defaultRetryAfter = time.Second

// classes maps every sentinel to its answer. The order matters only for errors
// that wrap two: the first that matches wins.
var classes = []class{
	{auth.ErrMissingToken, http.StatusUnauthorized, "missing_token", "", "Send the access token that the login answered, as Authorization: Bearer."},
	{auth.ErrTokenExpired, http.StatusUnauthorized, "token_expired", bearerInvalidToken, "Refresh the access token, or log in again with wx.login."},
	{auth.ErrSessionRevoked, http.StatusUnauthorized, "session_revoked", bearerInvalidToken, "The session has ended. Log in again with wx.login."},
	{auth.ErrRefreshReused, http.StatusUnauthorized, "refresh_reused", bearerInvalidToken, "The refresh token was used before, so the session was ended. Log in again with wx.login."},
	{auth.ErrInvalidToken, http.StatusUnauthorized, "invalid_token", bearerInvalidToken, "The token is not valid here. Log in again with wx.login."},
	{auth.ErrSessionStale, http.StatusUnauthorized, "session_stale", bearerInvalidToken, "The platform's session for this user is over. Log in again with wx.login, then ask the user again."},
	{auth.ErrInvalidCode, http.StatusUnauthorized, "invalid_code", "", "WeChat refused the login code: it is wrong, older than 5 minutes, or a phone code. Call wx.login for a new one."},
	{auth.ErrInvalidPhoneCode, http.StatusBadRequest, "invalid_code", "", "WeChat refused the phone code: it is wrong, older than 5 minutes, another user's, or a login code."},
	{auth.ErrCodeUsed, http.StatusUnauthorized, "code_used", "", "The code was used before. Each code works once: ask for a new one."},
	{auth.ErrRiskBlocked, http.StatusForbidden, "risk_blocked", "", "WeChat considers this user a high risk and refuses the login."},
	{auth.ErrForbidden, http.StatusForbidden, "forbidden", "insufficient_scope", "This identity may not do this."},
	{auth.ErrUnknownApp, http.StatusBadRequest, "unknown_app", "", "This mini program is not served here."},
	{auth.ErrDecryptFailed, http.StatusBadRequest, "decrypt_failed", "", "The data cannot be decrypted with this user's session keys. Log in first, then ask the user again."},
	{auth.ErrWatermarkMismatch, http.StatusBadRequest, "watermark_mismatch", "", "The data was made for another mini program."},
	{auth.ErrWatermarkStale, http.StatusBadRequest, "watermark_stale", "", "The data is too old. Ask the user again."},
	{auth.ErrRateLimited, http.StatusTooManyRequests, "rate_limited", "", "Too many requests. Wait, then try again."},
	{auth.ErrAppMisconfigured, http.StatusInternalServerError, "app_misconfigured", "", "The gateway's settings for this mini program are wrong; its operator must mend them."},
	{auth.ErrWeChatBusy, http.StatusServiceUnavailable, "wechat_busy", "", "WeChat is busy. Wait, then try again with a new code."},
	{auth.ErrWeChatTimeout, http.StatusGatewayTimeout, "wechat_timeout", "", "WeChat did not answer in time. Try again with a new code."},
	{auth.ErrWeChatUnreachable, http.StatusServiceUnavailable, "wechat_unreachable", "", "WeChat cannot be reached. Wait, then try again with a new code."},
	{auth.ErrWeChatUnreadable, http.StatusBadGateway, "wechat_unreadable", "", "WeChat's answer made no sense. Try again with a new code."},
	{auth.ErrStoreUnavailable, http.StatusServiceUnavailable, "store_unavailable", "", "The gateway cannot reach its session store. Wait, then try again."},
	{auth.ErrInvalidRequest, http.StatusBadRequest, "invalid_request", "", "The request is not what this call takes."},
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
	return &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "The gateway failed. Its log says why.", cause: err}
}

// badRequest is an [auth.ErrInvalidRequest] whose detail says what to change.
// The detail must never quote the request.
func badRequest(detail string) *problem {
	return &problem{Status: http.StatusBadRequest, Code: "invalid_request", Detail: detail, cause: auth.ErrInvalidRequest}
}

func (p *problem) Error() string { return p.Code + ": " + p.cause.Error() }

func (p *problem) Unwrap() error { return p.cause }

// write sends the problem. Every 401 carries a challenge (RFC 9110 section
// 15.5.2), whose error code is left out when no token was sent (RFC 6750
// section 3.1). It changes nothing: requests share problems.
func (p *problem) write(w http.ResponseWriter) error {
	body, err := json.Marshal(p.document())
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
	Status        int    `json:"status"`
	Title         string `json:"title"`
	Code          any    `json:"code"` // a word, or waferLoginAgain
	Detail        string `json:"detail,omitzero"`
	Errcode       int    `json:"errcode,omitzero"`
	*waferMembers `json:",embed"`
}

func (p *problem) document() problemDocument {
	d := problemDocument{p.Status, http.StatusText(p.Status), p.Code, p.Detail, p.Errcode, p.wafer}
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
