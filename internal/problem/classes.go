package problem

import (
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// class is one row of the table of problems.
type class struct {
	err    error
	status int
	code   string
	bearer string
	detail string
}

// The error codes of RFC 6750 section 3.1 and RFC 9470 section 3.
const (
	bearerInvalidToken               = "invalid_token"
	bearerInsufficientScope          = "insufficient_scope"
	bearerInsufficientAuthentication = "insufficient_user_authentication"
)

// Advice that several codes share. Every detail of a class ends with exactly the advice in
// docs/api.md and docs/sessions.md for its code, so that clients never get conflicting
// instructions. A test compares them.
const (
	// adviseRefresh is also for invalid_token: a refresh succeeds after the signing key was
	// retired.
	adviseRefresh = "Refresh once; if the refresh is refused, log in again with wx.login."
	adviseLogin   = "Forget both tokens and log in again with wx.login."
)

// detailUnsupported is for calls that only WeChat has. Clients try phone codes on other
// platforms.
const detailUnsupported = "This mini program's platform does not support this call. It sends phone numbers as encrypted_data and iv."

// codeInternal and detailInternal are for an error without a class.
const (
	codeInternal   = "internal"
	detailInternal = "The gateway failed; its log says why. Contact its operator."
)

// defaultRetryAfter is for a 503 without a time from the platform: long enough for a short
// overload to end, short enough for a waiting user.
const defaultRetryAfter = time.Second

// classes maps every sentinel to its problem. The order matters only for errors that wrap two
// of them: the first match is used. The detail of [auth.ErrForbidden] is for the only login
// that returns it, WeCom's; other callers set their own details.
var classes = []class{
	{auth.ErrMissingToken, http.StatusUnauthorized, "missing_token", "", `Send the access token returned by login as "Authorization: Bearer <token>".`},
	{auth.ErrTokenExpired, http.StatusUnauthorized, "token_expired", bearerInvalidToken, "The access token has expired. " + adviseRefresh},
	{auth.ErrSessionReplaced, http.StatusUnauthorized, "session_replaced", bearerInvalidToken, "A later login of the user ended this session. Forget both tokens, and log in again only when the user asks for it: a silent login would end the other session."},
	{auth.ErrSessionRevoked, http.StatusUnauthorized, "session_revoked", bearerInvalidToken, "The session has ended. " + adviseLogin},
	{auth.ErrRefreshReused, http.StatusUnauthorized, "refresh_reused", bearerInvalidToken, "The refresh token was used before, so the session was ended. " + adviseLogin},
	{auth.ErrInvalidToken, http.StatusUnauthorized, "invalid_token", bearerInvalidToken, "The token is not valid here. " + adviseRefresh},
	{auth.ErrSessionStale, http.StatusUnauthorized, "session_stale", bearerInvalidToken, "The platform's session for this user is over. Log in again with wx.login, then ask the user again."},
	{auth.ErrInvalidCode, http.StatusUnauthorized, "invalid_code", "", "WeChat refused the login code: it is wrong, older than 5 minutes, or a phone code. Call wx.login for a new code."},
	{auth.ErrInvalidPhoneCode, http.StatusBadRequest, "invalid_code", "", "WeChat refused the phone code: it is wrong, used, older than 5 minutes, another user's, or a login code. Ask the user to press the button again."},
	{auth.ErrCodeUsed, http.StatusUnauthorized, "code_used", "", "Each login code works once. Call wx.login for a new code."},
	{auth.ErrRiskBlocked, http.StatusForbidden, "risk_blocked", "", "WeChat considers this user a high risk and refuses the login. Tell the user; do not retry."},
	{auth.ErrSnapshotUser, http.StatusForbidden, "snapshot_user", "", "WeChat shows this page in preview mode and names no real user. Open the whole page in WeChat, then log in again."},
	{auth.ErrPhoneRequired, http.StatusForbidden, "phone_required", bearerInsufficientScope, "This path requires a verified phone number. Ask for the phone number with getPhoneNumber, call decode, and repeat the request with the access token that decode returns."},
	{auth.ErrUnionIDRequired, http.StatusForbidden, "unionid_required", bearerInsufficientScope, "This path requires a unionid, and this user has none. Do not retry: bind the mini program to a WeChat Open Platform account, then log in again with wx.login."},
	{auth.ErrAppNotAdmitted, http.StatusForbidden, "app_not_admitted", bearerInsufficientScope, "This site or path does not admit the mini program that the token is of. Do not retry: use a site or path that admits the mini program."},
	{auth.ErrLoginTooOld, http.StatusUnauthorized, "login_too_old", bearerInsufficientAuthentication, "This path requires a recent login; a refresh does not count. Log in again with wx.login, and repeat the request with the new access token."},
	{auth.ErrRiskTooHigh, http.StatusForbidden, "risk_too_high", bearerInsufficientScope, "This path is closed to users whose risk at WeChat is too high or unknown. Tell the user; do not retry. WeChat may rank the user differently at a later login."},
	{auth.ErrForbidden, http.StatusForbidden, "forbidden", "", "The user belongs to another company than the mini program."},
	{auth.ErrNotFound, http.StatusNotFound, "not_found", "", "No call of the login API has this path. Fix the client: the calls are openId, decode, userInfo, refresh, logout, revoke, session, live and ready, in this spelling."},
	{auth.ErrUnknownApp, http.StatusBadRequest, "unknown_app", "", "This mini program is not served here. Fix the appid in the client, or configure the mini program at the gateway."},
	{auth.ErrDecryptFailed, http.StatusBadRequest, "decrypt_failed", "", "The data cannot be decrypted with this user's session keys. Log in again with wx.login, then ask the user again."},
	{auth.ErrWatermarkMismatch, http.StatusBadRequest, "watermark_mismatch", "", "The data was made for another mini program. Fix the client."},
	{auth.ErrWatermarkStale, http.StatusBadRequest, "watermark_stale", "", "The data's time is too long ago or in the future, by the gateway's clock. Ask the user again."},
	{auth.ErrRateLimited, http.StatusTooManyRequests, "rate_limited", "", "Too many requests. Wait as Retry-After says, then try again; a code must be a new one."},
	{auth.ErrBudgetExhausted, http.StatusTooManyRequests, "budget_exhausted", "", "This mini program's budget for phone numbers is used up until the time of Retry-After. Let the user type the phone number, and verify it in another way."},
	{auth.ErrAppMisconfigured, http.StatusInternalServerError, "app_misconfigured", "", "The gateway is misconfigured for this mini program. Contact its operator."},
	{auth.ErrWeChatBusy, http.StatusServiceUnavailable, "wechat_busy", "", "WeChat is busy. Wait as Retry-After says, then try again with a new code."},
	{auth.ErrWeChatTimeout, http.StatusGatewayTimeout, "wechat_timeout", "", "WeChat did not respond in time. Try again with a new code."},
	{auth.ErrWeChatUnreachable, http.StatusServiceUnavailable, "wechat_unreachable", "", "WeChat cannot be reached. Wait as Retry-After says, then try again with a new code."},
	{auth.ErrWeChatUnreadable, http.StatusBadGateway, "wechat_unreadable", "", "WeChat's response cannot be read. Try again with a new code."},
	{auth.ErrCrossSite, http.StatusForbidden, "cross_site", "", "A page of another site may have sent this request with the user's cookie. Send it from a page of this site."},
	{auth.ErrLoginState, http.StatusBadRequest, "login_state_invalid", "", "This login began in another browser, took longer than 10 minutes, or is over. Log in again."},
	{auth.ErrTicketInvalid, http.StatusBadRequest, "ticket_invalid", "", "The ticket is expired or was used, or its session has ended. Open the page again from the mini program."},
	{auth.ErrScanNotFound, http.StatusNotFound, "scan_not_found", "", "The code is expired, used or refused, or of another browser, phone or mini program. Show a new code."},
	{auth.ErrWrongNumber, http.StatusBadRequest, "wrong_number", "", "This is not the number that the browser shows. Ask the user to read the number again. The third wrong number refuses the scan."},
	{auth.ErrStoreUnavailable, http.StatusServiceUnavailable, "store_unavailable", "", "The gateway cannot reach its session store. Keep both tokens, wait as Retry-After says, then repeat the request."},
	{auth.ErrResponseTooLarge, http.StatusBadGateway, "response_too_large", "", "The response to the prefetch is larger than the 256 KB that WeChat keeps. Fix the service."},
	{auth.ErrInvalidRequest, http.StatusBadRequest, "invalid_request", "", "The request is not valid for this call."},
}
