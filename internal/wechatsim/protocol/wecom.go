package protocol

// ErrWeComSecret says that the corpid or the secret is wrong; the code is from the
// global list.
// https://developer.work.weixin.qq.com/document/path/90313
const ErrWeComSecret = 40001

// ErrWeComToken says that the token is unknown; on WeChat that is 40001.
const ErrWeComToken = 40014

var wecomMessages = map[int]string{
	ErrBusy:         "system busy",
	ErrWeComSecret:  "invalid credential",
	ErrAppID:        "invalid corpid",
	ErrInvalidCode:  "invalid code",
	ErrTokenMissing: "access_token missing",
	ErrWeComToken:   "invalid access_token",
	ErrTokenExpired: "access_token expired",
	ErrAppIDMissing: "corpid missing",
	ErrCodeMissing:  "missing code",
	ErrDailyQuota:   "api freq out of limit",
	ErrRequireGet:   "require GET method",
	ErrGrantType:    "invalid grant_type",
}

// WeCom refuses as WeCom does.
var WeCom = &Host{Busy: ErrBusy, Minute: ErrDailyQuota, messages: wecomMessages, refusal: weixinRefusal}
