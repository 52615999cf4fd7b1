package platform

// CallName is the name of an endpoint: a closed set, suitable as a metric label.
type CallName string

// The endpoints that the client calls.
const (
	CallLogin CallName = "jscode2session"
	CallPhone CallName = "getuserphonenumber"
	CallToken CallName = "stable_token"
	CallCheck CallName = "checksession"
	CallReset CallName = "resetusersessionkey"
	// CallCheckPhone asks whether WeChat encrypted a phone number.
	CallCheckPhone CallName = "checkencryptedmsg"
	// CallRisk asks how risky a user is.
	CallRisk CallName = "getuserriskrank"
	// CallAddresses lists the addresses of WeChat's servers.
	CallAddresses CallName = "getcallbackip"
	// CallWebLogin spends a code of a web page, and CallWebUser reads the user's profile.
	CallWebLogin CallName = "oauth2_access_token"
	CallWebUser  CallName = "userinfo"
	// CallMiniProgramCode makes the image of a mini program code.
	CallMiniProgramCode CallName = "getwxacodeunlimit"
	// CallComponentLogin is a login through a third-party platform, and
	// CallComponentToken gets its token from the operator's service.
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
	// CallForward is any call that is forwarded for an upstream.
	CallForward CallName = "openapi"
)
