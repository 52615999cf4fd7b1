package auth

import (
	"errors"
	"fmt"
	"time"
)

// The classes of failure, one for each thing a caller can act on. What a client
// sees for each is decided in one place, by the HTTP layer.
var (
	ErrInvalidRequest    = errors.New("invalid request")
	ErrInvalidCode       = errors.New("invalid login code")
	ErrInvalidPhoneCode  = errors.New("invalid phone code")
	ErrCodeUsed          = errors.New("code already used")
	ErrRiskBlocked       = errors.New("login blocked by the platform's risk control")
	ErrSnapshotUser      = errors.New("snapshot user of a page in preview mode")
	ErrRateLimited       = errors.New("rate limited")
	ErrBudgetExhausted   = errors.New("phone budget exhausted")
	ErrAppMisconfigured  = errors.New("app misconfigured")
	ErrUnknownApp        = errors.New("unknown app")
	ErrWeChatBusy        = errors.New("platform busy")
	ErrWeChatUnreachable = errors.New("platform unreachable")
	ErrWeChatUnreadable  = errors.New("platform response unreadable")
	ErrWeChatTimeout     = errors.New("platform timeout")
	ErrMissingToken      = errors.New("missing token")
	ErrInvalidToken      = errors.New("invalid token")
	ErrTokenExpired      = errors.New("token expired")
	ErrSessionRevoked    = errors.New("session revoked")
	ErrSessionReplaced   = errors.New("session replaced by a newer one")
	ErrRefreshReused     = errors.New("refresh token reused")
	ErrSessionStale      = errors.New("session key stale")
	ErrDecryptFailed     = errors.New("decrypt failed")
	ErrWatermarkMismatch = errors.New("watermark mismatch")
	ErrWatermarkStale    = errors.New("watermark stale")
	ErrForbidden         = errors.New("forbidden")
	ErrPhoneRequired     = errors.New("phone number required")
	ErrUnionIDRequired   = errors.New("unionid required")
	ErrAppNotAdmitted    = errors.New("app not admitted")
	ErrLoginTooOld       = errors.New("login too old")
	ErrRiskTooHigh       = errors.New("risk too high")
	ErrStoreUnavailable  = errors.New("store unavailable")
	ErrNotFound          = errors.New("not found")
	ErrResponseTooLarge  = errors.New("response too large")
	ErrCrossSite         = errors.New("request from another site")
	ErrLoginState        = errors.New("login state invalid")
	ErrTicketInvalid     = errors.New("ticket invalid")
	ErrScanNotFound      = errors.New("scan not found")
	ErrWrongNumber       = errors.New("wrong number")
)

// ErrInvalidCursor is an [ErrInvalidRequest]: the cursor does not belong to this list.
var ErrInvalidCursor = fmt.Errorf("%w: the cursor does not belong to this list; start from the first page", ErrInvalidRequest)

// ErrDevModeOff is an [ErrForbidden] of [Service.Mint]. Its text is for operators.
var ErrDevModeOff = fmt.Errorf("%w: token mint requires the option dev_mode in the global wxgate block", ErrForbidden)

// ErrUnsupported is what a [Platform] returns for a call that it does not support. It is
// an [ErrInvalidRequest], because a client cannot know which calls each platform supports.
var ErrUnsupported = fmt.Errorf("%w: the app's platform does not support this call", ErrInvalidRequest)

// ErrNoSession is what a [Store] returns for a session that does not exist: never created,
// ended, or swept. Clients get no separate error code for it, because a client must not
// learn which of the three it was.
var ErrNoSession = errors.New("no such session")

// ErrNotCharged is what [Platform.PhoneNumber] adds to an error of a call that certainly cost
// nothing: it was not sent, or the platform refused the code.
var ErrNotCharged = errors.New("not charged")

// BudgetError is an [ErrBudgetExhausted] that lasts until the budget's window ends.
type BudgetError struct {
	RetryAfter time.Duration
	First      bool // the first refusal in the window, on any machine
}

func (e *BudgetError) Error() string { return ErrBudgetExhausted.Error() }

func (e *BudgetError) Unwrap() error { return ErrBudgetExhausted }

// PlatformError is a failure that WeChat (or a sibling) reported itself.
//
// Class is one of the sentinels above. Message is WeChat's errmsg with its
// request id, which support asks for: it goes to logs, never to clients.
type PlatformError struct {
	Class      error
	Code       int           // errcode
	Message    string        // errmsg
	RetryAfter time.Duration // 0 when the platform gave no reason to wait
}

func (e *PlatformError) Error() string {
	return fmt.Sprintf("%v: errcode %d: %s", e.Class, e.Code, e.Message)
}

func (e *PlatformError) Unwrap() error { return e.Class }

// SessionError is a refusal that concerns a stored session. It names the session for the
// log; clients learn only the class of Err.
type SessionError struct {
	User    User
	Session SessionID
	Err     error
}

func (e *SessionError) Error() string { return e.Err.Error() }

func (e *SessionError) Unwrap() error { return e.Err }

// LoginTooOldError is an [ErrLoginTooOld] of a request that requires a login no older than
// MaxAge.
type LoginTooOldError struct {
	MaxAge time.Duration
}

func (e *LoginTooOldError) Error() string {
	return fmt.Sprintf("%v: at most %s is allowed", ErrLoginTooOld, e.MaxAge)
}

func (e *LoginTooOldError) Unwrap() error { return ErrLoginTooOld }

// CreatedTooEarlyError is what [Store.Create] returns for a session whose ID is dated no
// later than the user's last "log out everywhere". Such a session would be revoked from the
// start; the caller creates another session that begins after NotAfter.
type CreatedTooEarlyError struct {
	NotAfter time.Time
}

func (e *CreatedTooEarlyError) Error() string {
	return "session begins before the user's revocation"
}
