package platform

import (
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Errcodes that the code refers to.
const (
	codeBusy         = -1
	codeNotEncrypted = 1 // of checkencryptedmsg
	codeTokenInvalid = 40001
	codeTokenUnknown = 40014
	codeTokenExpired = 42001
	codeDailyQuota   = 45009
)

const (
	// soon is the delay before a retry after "system busy".
	soon = time.Second
	// nextMinute is the delay after which a quota per minute is renewed.
	nextMinute = time.Minute
)

// meaning is the class of an error code, and when the caller may try again.
type meaning struct {
	class error
	after time.Duration // until the caller may try again
	daily bool          // wait until midnight in Beijing instead of after
}

// weixinMeanings apply to all calls, unless weixinCallMeanings has another meaning for a call.
var weixinMeanings = map[int]meaning{
	codeBusy: {class: auth.ErrWeChatBusy, after: soon},

	// The token was refused again after it was renewed: another client keeps
	// replacing it with force_refresh.
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
	40230: {class: auth.ErrAppMisconfigured}, // 40230 to 40240 are about encrypted and signed requests
	40231: {class: auth.ErrAppMisconfigured},
	40232: {class: auth.ErrAppMisconfigured},
	40233: {class: auth.ErrAppMisconfigured},
	40234: {class: auth.ErrAppMisconfigured},
	40235: {class: auth.ErrAppMisconfigured},
	40236: {class: auth.ErrAppMisconfigured},
	40237: {class: auth.ErrAppMisconfigured},
	40238: {class: auth.ErrAppMisconfigured},
	40239: {class: auth.ErrAppMisconfigured},
	40240: {class: auth.ErrAppMisconfigured}, // the gateway's clock is wrong
	40243: {class: auth.ErrAppMisconfigured}, // secret frozen
	41001: {class: auth.ErrAppMisconfigured}, // access_token missing
	41002: {class: auth.ErrAppMisconfigured}, // appid missing
	41004: {class: auth.ErrAppMisconfigured}, // secret missing
	43002: {class: auth.ErrAppMisconfigured}, // POST required: api is not the URL of the API
	44002: {class: auth.ErrAppMisconfigured}, // body empty
	47001: {class: auth.ErrAppMisconfigured}, // body is not JSON
	48001: {class: auth.ErrAppMisconfigured}, // app has no permission for this API
	48004: {class: auth.ErrAppMisconfigured}, // API banned for this app
	50002: {class: auth.ErrAppMisconfigured}, // account restricted
	50004: {class: auth.ErrAppMisconfigured}, // account blocked from this API
	50007: {class: auth.ErrAppMisconfigured}, // account frozen
	61003: {class: auth.ErrAppMisconfigured}, // third-party platform not authorised
	89503: {class: auth.ErrAppMisconfigured}, // an admin must confirm our address
	89506: {class: auth.ErrAppMisconfigured}, // an admin refused our address, for a day
	89507: {class: auth.ErrAppMisconfigured}, // an admin refused our address, for an hour

	87007: {class: auth.ErrSessionStale}, // session_key absent or expired
	87008: {class: auth.ErrSessionStale}, // signature method
	87009: {class: auth.ErrSessionStale}, // signature with another key
}

// weixinCallMeanings are the codes with different meanings for different calls.
var weixinCallMeanings = map[CallName]map[int]meaning{
	CallLogin: {
		40029:            {class: auth.ErrInvalidCode},
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // the call sends no token: the secret is wrong
	},
	CallWebLogin: {
		40029:            {class: auth.ErrInvalidCode},
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // the call sends no token: the secret is wrong
	},
	// The user's token was issued just before, so a refusal is not the client's fault.
	CallWebUser: {
		40003: {class: auth.ErrWeChatUnreadable}, // openid
	},
	CallMiniProgramCode: {
		40097: {class: auth.ErrAppMisconfigured}, // arguments; only the page is set by the operator
		40129: {class: auth.ErrWeChatUnreadable}, // scene, which has WeChat's alphabet
		40169: {class: auth.ErrWeChatUnreadable}, // the length of the scene
		41030: {class: auth.ErrAppMisconfigured}, // the page is not in the released version
		85096: {class: auth.ErrAppMisconfigured}, // the page has the parameter scancode_time
	},
	CallComponentLogin: {
		40029: {class: auth.ErrInvalidCode},
		40013: {class: auth.ErrAppMisconfigured}, // one of the two appids
	},
	CallPhone: {
		40029: {class: auth.ErrInvalidPhoneCode},
		40013: {class: auth.ErrInvalidPhoneCode}, // the code is another app's
		40003: {class: auth.ErrInvalidPhoneCode}, // the code is another user's
		// ErrCodeUsed would have the client log in again, which does not help here.
		40163: {class: auth.ErrInvalidPhoneCode},
	},
	CallCheckPhone: {
		codeNotEncrypted: {class: auth.ErrDecryptFailed},
		40097:            {class: auth.ErrWeChatUnreadable}, // the hash, which the client does not choose
	},
	// A login continues without a rank, so these are for the log and the metrics.
	CallRisk: {
		40003:   {class: auth.ErrAppMisconfigured},              // an openid that WeChat did not issue
		40129:   {class: auth.ErrAppMisconfigured},              // scene
		43104:   {class: auth.ErrAppMisconfigured},              // the openid is another app's
		61007:   {class: auth.ErrAppMisconfigured},              // a component has no right to this
		61010:   {class: auth.ErrWeChatUnreadable},              // no visit within two hours, although the user just logged in
		61080:   {class: auth.ErrWeChatBusy, after: soon},       // ranks are down
		61081:   {class: auth.ErrWeChatBusy, after: nextMinute}, // too many calls
		9410009: {class: auth.ErrAppMisconfigured},              // the quota is used up; the operator must apply for more
	},
	CallComponentToken: { // the service passes on WeChat's error
		codeTokenInvalid: {class: auth.ErrAppMisconfigured},
	},
	CallToken: {
		codeTokenInvalid: {class: auth.ErrAppMisconfigured}, // the call sends no token: the secret is wrong
	},
}

// meaning returns the meaning of a code. A code that is not in the tables counts as
// an unreadable response: it need not be a mistake of the client or of the operator.
func (d *Dialect) meaning(name CallName, code int, now time.Time) meaning {
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

// beijing is the time zone of WeChat's daily quotas; it has no daylight saving time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// untilMidnight is the time until daily quotas are renewed.
func untilMidnight(now time.Time) time.Duration {
	local := now.In(beijing)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, beijing).Sub(now)
}
