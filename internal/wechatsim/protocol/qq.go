package protocol

// ErrQQApp says that the appid or the secret is wrong.
const ErrQQApp = -101222100

var qqMessages = map[int]string{
	ErrBusy:        "system busy",
	ErrInvalidCode: "invalid code",
	ErrMinuteQuota: "freq limit",
	ErrQQApp:       "param error, please check appid and appsecret",
}

// QQ refuses as QQ does.
var QQ = &Host{Busy: ErrBusy, Minute: ErrMinuteQuota, messages: qqMessages, refusal: weixinRefusal}
