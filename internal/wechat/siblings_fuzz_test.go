package wechat_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// siblingPaths are the paths of each platform's login, and of the token before it.
var siblingPaths = map[wechat.Platform][2]string{
	wechat.WeChat:      {loginPath, tokenPath},
	wechat.QQ:          {loginPath, "/api/getToken"},
	wechat.Douyin:      {"/api/apps/v2/jscode2session", "/api/apps/v2/token"},
	wechat.Kuaishou:    {"/oauth2/mp/code2session", "/oauth2/access_token"},
	wechat.Xiaohongshu: {"/api/rmp/session", "/api/rmp/token"},
	wechat.WeCom:       {"/cgi-bin/miniprogram/jscode2session", "/cgi-bin/gettoken"},
}

// siblingResponses are seeds: the successful responses and the errors of each platform.
var siblingResponses = []string{
	goodLogin, goodToken, `{"errcode":-1}`, `{"errcode":"40029","errmsg":"x"}`, `{"errcode":40014}`,
	`{"err_no":0,"err_tips":"success","data":{"session_key":"k","openid":"o1","unionid":"u1","anonymous_openid":""}}`,
	`{"err_no":0,"data":{"access_token":"t","expires_in":7200}}`, `{"err_no":40018,"err_tips":"bad code","data":null}`,
	`{"result":1,"session_key":"k","open_id":"o1"}`, `{"result":1,"access_token":"t","expires_in":172800,"token_type":"bearer"}`,
	`{"result":100200105,"error":"invalid_code","error_msg":"x"}`, `{"result":1e0}`, `{"result":null}`,
	`{"success":true,"code":0,"msg":"success","data":{"openid":"o1","session_key":"k"}}`,
	`{"success":true,"code":0,"data":{"access_token":"t","expire_in":7200}}`, `{"success":false,"code":410101,"msg":"x","data":null}`,
	`{"errcode":0,"corpid":"wx0123456789abcdef","userid":"a.b@c","session_key":"k"}`, `{}`, `[]`, `null`, ``, `<html>`, "{\"errmsg\":\"\x01\xff\"}",
}

// FuzzLoginResponse: for any response, a login either returns a user whose ID is valid in a
// header and a key, or fails with an error of a known class. It does not panic, and the call is
// repeated only if the token was refused.
func FuzzLoginResponse(f *testing.F) {
	for _, body := range siblingResponses {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for platform, paths := range siblingPaths {
			p := newPlatform().on(paths[0], respond(body)).on("/api/rmp/token", respond(siblingResponses[14])).on("/cgi-bin/gettoken", respond(goodToken))
			client := mustClient(t, wechat.Config{Platform: platform, API: "http://platform.invalid", Transport: p})
			who, err := client.Exchange(t.Context(), code)
			if err == nil && (!auth.ValidID(who.OpenID) || who.SessionKey == "" || who.UnionID != "" && !auth.ValidID(who.UnionID)) {
				t.Errorf("%s: %q logs in %+v", platform, body, who)
			}
			if err != nil && !classified(err) {
				t.Errorf("%s: %q: the error has no class: %v", platform, body, err)
			}
			most := 1
			if platform == wechat.Xiaohongshu || platform == wechat.WeCom {
				most = 2
			}
			if n := p.count(paths[0]); n < 1 || n > most {
				t.Errorf("%s: %q: called %d times", platform, body, n)
			}
			client.Close()
		}
	})
}

// FuzzTokenResponse is like FuzzLoginResponse, for access tokens. It uses a fake clock:
// otherwise the wait before a retry would take most of the time.
func FuzzTokenResponse(f *testing.F) {
	for _, body := range siblingResponses {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		synctest.Test(t, func(t *testing.T) {
			for platform, paths := range siblingPaths {
				p := newPlatform().on(paths[1], respond(body))
				client := mustClient(t, wechat.Config{Platform: platform, API: "http://platform.invalid", Transport: p})
				got, err := client.AccessTokens().Token(t.Context())
				if (err == nil) == (got == "") || err != nil && !classified(err) {
					t.Errorf("%s: %q: %q, %v", platform, body, got, err)
				}
			}
		})
	})
}

// classified reports whether an error has one of the classes that callers handle.
func classified(err error) bool {
	for _, class := range []error{
		auth.ErrInvalidRequest, auth.ErrInvalidCode, auth.ErrCodeUsed, auth.ErrRiskBlocked, auth.ErrRateLimited, auth.ErrAppMisconfigured,
		auth.ErrWeChatBusy, auth.ErrWeChatUnreadable, auth.ErrSessionStale, auth.ErrForbidden,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
