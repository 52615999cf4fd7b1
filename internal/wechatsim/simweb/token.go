package simweb

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// tokenLifetime is how long an access_token is valid: 7200 seconds.
	tokenLifetime = 7200 * time.Second

	// tokenMemory is how long an expired token is refused with 42001, and not with 40001.
	tokenMemory = 24 * time.Hour
)

// A token is the access_token of one user, for userinfo alone.
type token struct {
	code
	expires time.Time
}

// grant is the response of access_token.
type grant struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
	Snapshot     int    `json:"is_snapshotuser,omitempty"`
	UnionID      string `json:"unionid,omitempty"`
}

// AccessToken is GET /sns/oauth2/access_token (换取用户授权凭证). It refuses mini programs, whose
// codes are for jscode2session. A code of another app is an invalid code, as a member of
// WeChat's staff says, and is not spent by the attempt.
// https://developers.weixin.qq.com/doc/service/api/webdev/access/api_snsaccesstoken
// https://developers.weixin.qq.com/community/develop/doc/0004ac14958bb052d112b519b66800
//
// The order of the checks is the simulator's choice. WeChat's announcement on snapshots says that
// all of their user is virtual, the unionid too.
// https://developers.weixin.qq.com/community/minihome/doc/000c2c34068880629ced91a2f56001
func (w *Web) AccessToken(r Request) protocol.Response {
	if errcode := w.checkSecret(r.Query.Get("appid"), r.Query.Get("secret")); errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	if r.Query.Get("grant_type") != "authorization_code" {
		return protocol.WeChat.Refuse(r.Path, protocol.ErrGrantType)
	}
	spent, errcode := w.spend(r.Query.Get("appid"), r.Query.Get("code"))
	if errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	out := w.grant(spent)
	if spent.virtual != nil {
		out.Snapshot = 1
	}
	if spent.scope != ScopeBase && !w.userInfoOnly(spent.app) {
		out.UnionID = w.person(spent).UnionID
	}
	return protocol.Success(out)
}

// checkSecret returns the errcode for a wrong app or secret, and 0 otherwise.
func (w *Web) checkSecret(appid, secret string) int {
	app, known := w.accounts.App(appid)
	switch {
	case appid == "":
		return protocol.ErrAppIDMissing
	case !known || app.Kind == MiniProgram:
		return protocol.ErrAppID
	case secret == "":
		return protocol.ErrSecretMissing
	case secret != app.Secret:
		return protocol.ErrSecret
	}
	return 0
}

// spend uses a code up, or returns the errcode that refuses it.
func (w *Web) spend(appid, value string) (code, int) {
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.codes.Get(value)
	switch {
	case value == "":
		return code{}, protocol.ErrCodeMissing
	case !ok || c.app != appid:
		return code{}, protocol.ErrInvalidCode
	case c.used:
		return code{}, protocol.ErrCodeUsed
	case !now.Before(c.expires):
		return code{}, protocol.ErrInvalidCode
	}
	c.used = true
	return *c, 0
}

// grant makes the tokens of a code.
func (w *Web) grant(of code) grant {
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &refresh{code: of, expires: now.Add(refreshLifetime)}
	value := newToken()
	w.fresh.Put(value, r, now, r.expires)
	return w.grantOf(value, r, now)
}

// grantOf returns the tokens of a refresh_token, with a new access_token if the last one expired.
// It is called with w.mu held.
func (w *Web) grantOf(value string, r *refresh, now time.Time) grant {
	t, ok := w.tokens.Get(r.access)
	if !ok || !now.Before(t.expires) {
		r.access, t = newToken(), &token{code: r.code}
		w.tokens.Put(r.access, t, now, now.Add(tokenLifetime+tokenMemory))
	}
	t.expires = now.Add(tokenLifetime)
	return grant{
		AccessToken: r.access, ExpiresIn: int(tokenLifetime / time.Second), RefreshToken: value, OpenID: r.openid, Scope: r.scope,
	}
}

// newToken returns a value in the form of WeChat's tokens.
func newToken() string {
	return "98_" + strings.Join([]string{rand.Text(), rand.Text(), rand.Text()}, "-")
}

func (w *Web) userInfoOnly(app string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.late[app]
}

// person returns the user of a code as it is now.
func (w *Web) person(c code) Person {
	if c.virtual != nil {
		return *c.virtual
	}
	return w.accounts.Person(c.app, c.openid)
}

// profile is the response of userinfo. WeChat no longer returns sex and places.
type profile struct {
	OpenID     string   `json:"openid"`
	NickName   string   `json:"nickname"`
	Sex        int      `json:"sex"`
	Language   string   `json:"language"`
	Province   string   `json:"province"`
	City       string   `json:"city"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
	UnionID    string   `json:"unionid,omitempty"`
}

// UserInfo is GET /sns/userinfo (获取授权用户信息).
// https://developers.weixin.qq.com/doc/service/api/webdev/access/api_snsuserinfo
func (w *Web) UserInfo(r Request) protocol.Response {
	of, errcode := w.tokenOf(r.Query.Get("access_token"))
	switch {
	case errcode != 0:
	case r.Query.Get("openid") == "":
		errcode = protocol.ErrOpenIDMissing
	case r.Query.Get("openid") != of.openid:
		errcode = protocol.ErrOpenID
	case of.scope == ScopeBase:
		errcode = protocol.ErrNoPermission
	}
	if errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	who := w.person(of)
	return protocol.Success(profile{
		OpenID: who.OpenID, NickName: who.NickName, UnionID: who.UnionID, Privilege: []string{},
		HeadImgURL: "https://thirdwx.qlogo.cn/mmopen/vi_32/anonymous/132",
	})
}

// tokenOf returns the code that an access_token was returned for, or the errcode that refuses
// the token.
func (w *Web) tokenOf(value string) (code, int) {
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.tokens.Get(value)
	switch {
	case value == "":
		return code{}, protocol.ErrTokenMissing
	case !ok:
		return code{}, protocol.ErrInvalidToken
	case !now.Before(t.expires):
		return code{}, protocol.ErrTokenExpired
	}
	return t.code, 0
}
