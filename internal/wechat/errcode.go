package wechat

import (
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Errcodes that the code itself asks for.
const (
	codeBusy         = -1
	codeTokenInvalid = 40001
	codeTokenUnknown = 40014
	codeTokenExpired = 42001
	codeDailyQuota   = 45009
)

const (
	// soon is when to come again after "system busy".
	soon = time.Second
	// nextMinute is when a quota per minute has been renewed for certain.
	nextMinute = time.Minute
)

// meaning is what an errcode says to us: what the caller may do about it.
type meaning struct {
	class error
	after time.Duration // until the caller may try again
}

// meanings holds for every call that has no word of its own in callMeanings.
var meanings = map[int]meaning{
	codeBusy: {auth.ErrWeChatBusy, soon},

	// The token that withToken fetched a moment ago is refused again: somebody
	// else keeps replacing it with force_refresh.
	codeTokenInvalid: {auth.ErrWeChatBusy, soon},
	codeTokenUnknown: {auth.ErrWeChatBusy, soon},
	codeTokenExpired: {auth.ErrWeChatBusy, soon},

	40163: {class: auth.ErrCodeUsed},
	40226: {class: auth.ErrRiskBlocked},
	40097: {class: auth.ErrInvalidRequest}, // bad arguments
	41008: {class: auth.ErrInvalidRequest}, // code missing

	codeDailyQuota: {class: auth.ErrWeChatBusy}, // until midnight: see meaningOf
	45011:          {auth.ErrRateLimited, nextMinute},

	40002: {class: auth.ErrAppMisconfigured}, // grant_type
	40013: {class: auth.ErrAppMisconfigured}, // appid
	40125: {class: auth.ErrAppMisconfigured}, // secret wrong
	40164: {class: auth.ErrAppMisconfigured}, // our address is not in the allow-list; errmsg names it
	40243: {class: auth.ErrAppMisconfigured}, // secret frozen
	41001: {class: auth.ErrAppMisconfigured}, // access_token missing
	41002: {class: auth.ErrAppMisconfigured}, // appid missing
	41004: {class: auth.ErrAppMisconfigured}, // secret missing
	43002: {class: auth.ErrAppMisconfigured}, // POST wanted: api points at something else
	44002: {class: auth.ErrAppMisconfigured}, // body empty
	47001: {class: auth.ErrAppMisconfigured}, // body no JSON
	48001: {class: auth.ErrAppMisconfigured}, // app has no right to this API
	48004: {class: auth.ErrAppMisconfigured}, // API banned for this app
	50002: {class: auth.ErrAppMisconfigured}, // account restricted
	50004: {class: auth.ErrAppMisconfigured}, // account barred from this API
	50007: {class: auth.ErrAppMisconfigured}, // account frozen
	61003: {class: auth.ErrAppMisconfigured}, // third-party platform not authorised
	89503: {class: auth.ErrAppMisconfigured}, // an admin must confirm our address
	89506: {class: auth.ErrAppMisconfigured}, // an admin refused our address, for a day
	89507: {class: auth.ErrAppMisconfigured}, // an admin refused our address, for an hour

	87007: {class: auth.ErrSessionStale}, // session_key absent or expired
	87008: {class: auth.ErrSessionStale}, // signature method
	87009: {class: auth.ErrSessionStale}, // signature, so the key is another
}

// callMeanings is where one number means different things to different calls.
var callMeanings = map[CallName]map[int]meaning{
	CallLogin: {
		40029:            {class: auth.ErrInvalidCode},
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // no token here: the secret
	},
	CallPhone: {
		40029: {class: auth.ErrInvalidPhoneCode},
		40013: {class: auth.ErrInvalidPhoneCode}, // the code is another app's
		40003: {class: auth.ErrInvalidPhoneCode}, // the code is another user's
		// ErrCodeUsed tells a client to log in anew, which mends no phone code.
		40163: {class: auth.ErrInvalidPhoneCode},
	},
	CallToken: {
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // no token here: the secret
	},
}

// meaningOf is the one place where an errcode gets its class. A code that is not
// in the tables is WeChat telling us something that we cannot read: it is neither
// the client's fault nor, for all we know, the operator's.
func meaningOf(name CallName, code int, now time.Time) meaning {
	if m, ok := callMeanings[name][code]; ok {
		return m
	}
	m, ok := meanings[code]
	if !ok {
		return meaning{class: auth.ErrWeChatUnreadable}
	}
	if code == codeDailyQuota {
		m.after = untilMidnight(now)
	}
	return m
}

func platformError(name CallName, code int, message string, now time.Time) error {
	m := meaningOf(name, code, now)
	return &auth.PlatformError{Class: m.class, Code: code, Message: cleanMessage(message), RetryAfter: m.after}
}

// beijing is where WeChat's day begins; China has no summer time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// untilMidnight is how long daily quotas stay spent.
func untilMidnight(now time.Time) time.Duration {
	local := now.In(beijing)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, beijing).Sub(now)
}

// staleToken reports whether WeChat refused a call for its access token alone,
// having done nothing else.
func staleToken(err error) bool {
	var platform *auth.PlatformError
	if !errors.As(err, &platform) {
		return false
	}
	return staleCode(platform.Code)
}

func staleCode(code int) bool {
	return code == codeTokenInvalid || code == codeTokenUnknown || code == codeTokenExpired
}
