package wechat

import (
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// Call is one call, as reported to [Config.Observe]. It contains no secret.
type Call struct {
	App      auth.AppID
	Name     platform.CallName
	Class    error         // a sentinel of package auth; nil when the call succeeded
	ErrCode  int           // of the platform; 0 if there was none
	Duration time.Duration // of the call, without waiting for a token
	Sent     bool          // false if the circuit breaker or the limit of calls refused it
}

// classes are the classes of errors that a call can return.
var classes = []error{
	auth.ErrInvalidRequest, auth.ErrInvalidCode, auth.ErrInvalidPhoneCode, auth.ErrCodeUsed,
	auth.ErrRiskBlocked, auth.ErrSnapshotUser, auth.ErrRateLimited, auth.ErrAppMisconfigured, auth.ErrWeChatBusy,
	auth.ErrWeChatUnreachable, auth.ErrWeChatUnreadable, auth.ErrWeChatTimeout,
	auth.ErrSessionStale, auth.ErrWatermarkMismatch, auth.ErrForbidden,
}

func newCall(app auth.AppID, name platform.CallName, sent bool, took time.Duration, err error) Call {
	call := Call{App: app, Name: name, Duration: took, Sent: sent}
	if refusal, ok := errors.AsType[*auth.PlatformError](err); ok {
		call.ErrCode = refusal.Code
	}
	for _, class := range classes {
		if errors.Is(err, class) {
			call.Class = class
			break
		}
	}
	return call
}
