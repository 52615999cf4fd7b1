package wechat

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// Kind is the kind of WeChat app that a [Client] is for. The zero value is a mini program.
type Kind string

// The kinds whose users log in on web pages.
const (
	// Official is a service account (公众号), whose pages are opened inside WeChat.
	Official Kind = "official"
	// Website is a website app of the Open Platform, whose login page shows a QR code.
	Website Kind = "website"
)

// The scopes of a login of an [Official] app.
const (
	// ScopeBase logs in without asking the user, and returns no unionid.
	ScopeBase = platform.ScopeBase
	// ScopeUserInfo asks the user for the profile.
	ScopeUserInfo = "snsapi_userinfo"
)

// scopeLogin is the only scope of a [Website].
const scopeLogin = "snsapi_login"

// pages is the base URL of WeChat's login pages; the API is on another host.
var pages = url.URL{Scheme: "https", Host: "open.weixin.qq.com"}

// check refuses options that web apps don't have.
func (k Kind) check(cfg *Config) error {
	switch {
	case k == "":
		return nil
	case k != Official && k != Website:
		return fmt.Errorf("%w: app %q: unknown kind %q", auth.ErrAppMisconfigured, cfg.AppID, k)
	case cfg.Platform != WeChat || cfg.Component != nil:
		return fmt.Errorf("%w: app %q: kind %s requires platform wechat and a secret", auth.ErrAppMisconfigured, cfg.AppID, k)
	case cfg.Risk != nil || cfg.CheckPhone:
		return fmt.Errorf("%w: app %q: kind %s has neither risk ranks nor phone numbers", auth.ErrAppMisconfigured, cfg.AppID, k)
	case k == Website && cfg.Security != nil:
		return fmt.Errorf("%w: app %q: kind %s has no server API to encrypt", auth.ErrAppMisconfigured, cfg.AppID, k)
	}
	return nil
}

// Kind returns the app's kind.
func (c *Client) Kind() Kind { return c.cfg.Kind }

// AuthorizeURL returns the page that a browser is sent to for a code of an app of kind
// [Official] or [Website]. WeChat sends the browser back to redirectURI with code and state.
// Its host must be the domain of the app's settings at WeChat. scope is [ScopeBase] or
// [ScopeUserInfo]; a [Website] has one scope, and ignores it. WeChat documents state as up to
// 128 letters and digits. The page is WeChat's, or below [Config.API] if that is not a host of
// WeChat's.
func (c *Client) AuthorizeURL(redirectURI, scope, state string) string {
	base, path := &pages, "/connect/oauth2/authorize"
	if c.cfg.Kind == Website {
		path, scope = "/connect/qrconnect", scopeLogin
	}
	if !strings.HasSuffix(c.peer.base.Hostname(), ".weixin.qq.com") {
		base = c.peer.base
	}
	target := base.JoinPath(path)
	// WeChat requires this order, which is alphabetical.
	target.RawQuery = url.Values{
		"appid":         {string(c.cfg.AppID)},
		"redirect_uri":  {redirectURI},
		"response_type": {"code"},
		"scope":         {scope},
		"state":         {state},
	}.Encode()
	target.Fragment = "wechat_redirect"
	return target.String()
}

// miniProgramOnly refuses a call that only mini programs of WeChat have.
func (c *Client) miniProgramOnly(name platform.CallName) error {
	if c.cfg.Kind != "" {
		return fmt.Errorf("%w: %s of app %q, which is of kind %s", auth.ErrUnsupported, name, c.cfg.AppID, c.cfg.Kind)
	}
	return c.weixinOnly(name)
}

// webLogin spends a code of a web page with one call. If the response has no unionid and the
// user's access token can read the profile, webLogin reads the unionid from the profile. If the
// profile cannot be read, the login fails: without the unionid the user would be another person
// for this session. The user's tokens are not stored.
func (c *Client) webLogin(ctx context.Context, code string) (auth.LoginResult, error) {
	response := new(platform.WebLogin)
	who, err := c.exchange(ctx, c.dialect.LoginRequest(c.app, code, ""), response)
	if err != nil || who.UnionID != "" || response.Scope == platform.ScopeBase {
		return who, err
	}
	if !visibleASCII(response.Token, maxTokenBytes) {
		return auth.LoginResult{}, platform.Incomplete(platform.CallWebLogin, "access_token")
	}
	r := platform.WebUserRequest(response.Token, who.OpenID)
	// The code is not sent again, and the profile is only read, so it may be read twice.
	err = guard.RetryOnce(ctx, c.dialect, func() (err error) {
		who.UnionID, err = c.webUnionID(ctx, r, who.OpenID)
		return err
	})
	if err != nil {
		return auth.LoginResult{}, err
	}
	return who, nil
}

// webUnionID returns the user's unionid; "" if the app is bound to no Open Platform account.
func (c *Client) webUnionID(ctx context.Context, r platform.Request, openid auth.OpenID) (auth.UnionID, error) {
	var response platform.WebUser
	err := c.peer.do(ctx, r, c.decode(r.Name, &response, func() error {
		switch {
		case response.OpenID != openid:
			return platform.Incomplete(r.Name, "openid")
		case response.UnionID != "" && !auth.ValidID(response.UnionID):
			return platform.Incomplete(r.Name, "unionid")
		}
		return nil
	}))
	if err != nil {
		return "", err
	}
	return response.UnionID, nil
}
