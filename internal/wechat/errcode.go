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

// meaning is what a code says to us: what the caller may do about it.
type meaning struct {
	class error
	after time.Duration // until the caller may try again
	daily bool          // that is until midnight in Beijing
}

// weixinMeanings holds for every call that has no word of its own in
// weixinCallMeanings.
var weixinMeanings = map[int]meaning{
	codeBusy: {class: auth.ErrWeChatBusy, after: soon},

	// The token that withToken fetched a moment ago is refused again: another
	// client keeps replacing it with force_refresh.
	codeTokenInvalid: {class: auth.ErrWeChatBusy, after: soon},
	codeTokenUnknown: {class: auth.ErrWeChatBusy, after: soon},
	codeTokenExpired: {class: auth.ErrWeChatBusy, after: soon},

	40163: {class: auth.ErrCodeUsed},
	40226: {class: auth.ErrRiskBlocked},
	40097: {class: auth.ErrInvalidRequest}, // bad arguments
	41008: {class: auth.ErrInvalidRequest}, // code missing

	codeDailyQuota: {class: auth.ErrWeChatBusy, daily: true},
	45011:          {class: auth.ErrRateLimited, after: nextMinute},

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

// weixinCallMeanings is where one number means different things to different calls.
var weixinCallMeanings = map[CallName]map[int]meaning{
	CallLogin: {
		40029:            {class: auth.ErrInvalidCode},
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // no token here: the secret
	},
	CallComponentLogin: {
		40029: {class: auth.ErrInvalidCode},
		40013: {class: auth.ErrAppMisconfigured}, // one of the two appids
	},
	CallPhone: {
		40029: {class: auth.ErrInvalidPhoneCode},
		40013: {class: auth.ErrInvalidPhoneCode}, // the code is another app's
		40003: {class: auth.ErrInvalidPhoneCode}, // the code is another user's
		// ErrCodeUsed tells a client to log in anew, which fixes no phone code.
		40163: {class: auth.ErrInvalidPhoneCode},
	},
	CallComponentToken: { // the service hands on what WeChat told it
		codeTokenInvalid: {class: auth.ErrAppMisconfigured},
	},
	CallToken: {
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // no token here: the secret
	},
}

// meaning is the one place where a code gets its class. A code that is not in the
// tables is the platform telling us something that we cannot read: it is neither
// the client's fault nor, for all we know, the operator's.
func (d *dialect) meaning(name CallName, code int, now time.Time) meaning {
	m, ok := d.callMeanings[name][code]
	if !ok {
		m, ok = d.meanings[code]
	}
	if !ok {
		return meaning{class: auth.ErrWeChatUnreadable}
	}
	if m.daily {
		m.after = untilMidnight(now)
	}
	return m
}

// failure is what the platform says went wrong, in its own words: redact is still
// to have them.
func (d *dialect) failure(name CallName, code int, message string, now time.Time) error {
	m := d.meaning(name, code, now)
	return &auth.PlatformError{Class: m.class, Code: code, Message: message, RetryAfter: m.after}
}

func platformErrorOf(err error) (*auth.PlatformError, bool) {
	return errors.AsType[*auth.PlatformError](err)
}

// beijing is where WeChat's day begins; China has no summer time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// untilMidnight is how long daily quotas stay spent.
func untilMidnight(now time.Time) time.Duration {
	local := now.In(beijing)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, beijing).Sub(now)
}
