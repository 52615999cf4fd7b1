package wechat

import (
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// CallName names an endpoint: a closed set, fit for a metric's label.
type CallName string

// The endpoints that a [Client] calls.
const (
	CallLogin CallName = "jscode2session"
	CallPhone CallName = "getuserphonenumber"
	CallToken CallName = "stable_token"
	CallCheck CallName = "checksession"
	CallReset CallName = "resetusersessionkey"
	// CallComponentLogin is a login through a third-party platform, whose token
	// CallComponentToken fetches from the operator's own service.
	CallComponentLogin CallName = "component_jscode2session"
	CallComponentToken CallName = "component_token"
	// The logins and tokens of the other platforms.
	CallQQLogin          CallName = "qq_jscode2session"
	CallQQToken          CallName = "qq_token"
	CallDouyinLogin      CallName = "douyin_jscode2session"
	CallDouyinToken      CallName = "douyin_token"
	CallKuaishouLogin    CallName = "kuaishou_code2session"
	CallKuaishouToken    CallName = "kuaishou_token"
	CallXiaohongshuLogin CallName = "xiaohongshu_session"
	CallXiaohongshuToken CallName = "xiaohongshu_token"
	CallWeComLogin       CallName = "wecom_jscode2session"
	CallWeComToken       CallName = "wecom_gettoken"
	// CallForward is whatever [Client.Forward] was given.
	CallForward CallName = "openapi"
)

// Call is one call as [Config.Observe] sees it. It holds no secret.
type Call struct {
	Name     CallName
	Class    error         // a sentinel of package auth; nil when the call succeeded
	ErrCode  int           // WeChat's, 0 without one
	Duration time.Duration // of the call alone
	Sent     bool          // false when the breaker or the bound refused it
}

// classes are those that a call can end in.
var classes = []error{
	auth.ErrInvalidRequest, auth.ErrInvalidCode, auth.ErrInvalidPhoneCode, auth.ErrCodeUsed,
	auth.ErrRiskBlocked, auth.ErrRateLimited, auth.ErrAppMisconfigured, auth.ErrWeChatBusy,
	auth.ErrWeChatUnreachable, auth.ErrWeChatUnreadable, auth.ErrWeChatTimeout,
	auth.ErrSessionStale, auth.ErrWatermarkMismatch, auth.ErrForbidden,
}

func newCall(name CallName, sent bool, took time.Duration, err error) Call {
	call := Call{Name: name, Duration: took, Sent: sent}
	if platform, ok := errors.AsType[*auth.PlatformError](err); ok {
		call.ErrCode = platform.Code
	}
	for _, class := range classes {
		if errors.Is(err, class) {
			call.Class = class
			break
		}
	}
	return call
}
