package platform

import (
	"fmt"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// WeChatWeb is WeChat for apps whose users log in on web pages: service accounts (公众号) and
// website apps of the Open Platform. Their login has no session key. It has an access token
// and a refresh token of the user, which the caller must not keep: they read the user's profile
// from anywhere.
// https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
// https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
var WeChatWeb = weixinWeb()

func weixinWeb() *Dialect {
	d := *WeChat
	d.LoginRequest = webLogin
	d.LoginResponse = func() LoginResponse { return new(WebLogin) }
	return &d
}

// webLogin is GET /sns/oauth2/access_token, which spends the code.
func webLogin(app App, code, _ string) Request {
	return Request{
		Name: CallWebLogin,
		Path: "/sns/oauth2/access_token",
		Query: url.Values{
			"appid":      {string(app.ID)},
			"secret":     {app.Secret},
			"code":       {code},
			"grant_type": {"authorization_code"},
		},
		Secrets: []string{app.Secret, code},
	}
}

// ScopeBase is the scope of a login without a question to the user. Its access token cannot
// read the profile.
const ScopeBase = "snsapi_base"

// WebLogin is the response to a code of a web page.
type WebLogin struct {
	OpenID   auth.OpenID  `json:"openid"`
	UnionID  auth.UnionID `json:"unionid"`
	Token    string       `json:"access_token"` // of the user
	Scope    string       `json:"scope"`
	Snapshot errCode      `json:"is_snapshotuser"` // 1 or missing
}

// Result implements [LoginResponse].
func (a *WebLogin) Result(App) (auth.LoginResult, error) {
	if a.Snapshot != 0 {
		return auth.LoginResult{}, fmt.Errorf("%w: WeChat made a user for a page in preview mode", auth.ErrSnapshotUser)
	}
	if a.Scope == "" {
		return auth.LoginResult{}, Incomplete(CallWebLogin, "scope")
	}
	return auth.LoginResult{OpenID: a.OpenID, UnionID: a.UnionID}, nil
}

// WebUserRequest is GET /sns/userinfo, with the user's access token. It has no effects.
func WebUserRequest(token string, openid auth.OpenID) Request {
	return Request{
		Name: CallWebUser,
		Path: "/sns/userinfo",
		Query: url.Values{
			"access_token": {token},
			"openid":       {string(openid)},
			"lang":         {"zh_CN"},
		},
		Secrets: []string{token, string(openid)},
	}
}

// WebUser is the response to [WebUserRequest]. The rest of the profile is not read.
type WebUser struct {
	OpenID  auth.OpenID  `json:"openid"`
	UnionID auth.UnionID `json:"unionid"`
}
