package wechat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
)

const (
	webLoginPath = "/sns/oauth2/access_token"
	webUserPath  = "/sns/userinfo"
	userToken    = "SECRETuser/token"
)

// webResponse is the documented response to a code, with a scope and further members.
func webResponse(scope, more string) string {
	return fmt.Sprintf(`{"access_token":%q,"expires_in":7200,"refresh_token":"SECRETrefresh","openid":%q,"scope":%q%s}`, userToken, openid, scope, more)
}

const goodUser = `{"openid":"` + string(openid) + `","nickname":"n","sex":1,"headimgurl":"https://thirdwx.qlogo.cn/x","privilege":[],"unionid":"u1"}`

// web returns a client of p, without a network, of an app whose users log in on web pages.
func web(t testing.TB, p *fakePlatform, kind wechat.Kind) *wechat.Client {
	t.Helper()
	return mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Kind: kind})
}

// TestAuthorizeURL: WeChat refuses a URL whose parameters have another order, or which does
// not end with the fragment.
func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	const back, state = "https://shop.example/v1.0/pub/web/callback?a=1&b=2#x", "s&t=#1"
	const rest = "?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fshop.example%2Fv1.0%2Fpub%2Fweb%2Fcallback%3Fa%3D1%26b%3D2%23x&response_type=code&scope="
	const end = "&state=s%26t%3D%231#wechat_redirect"
	for name, row := range map[string]struct {
		kind       wechat.Kind
		api, scope string
		want       string
	}{
		"official":             {wechat.Official, "", wechat.ScopeUserInfo, "https://open.weixin.qq.com/connect/oauth2/authorize" + rest + "snsapi_userinfo" + end},
		"official, base":       {wechat.Official, "", wechat.ScopeBase, "https://open.weixin.qq.com/connect/oauth2/authorize" + rest + "snsapi_base" + end},
		"official, elsewhere":  {wechat.Official, "http://127.0.0.1:9090/wx/", wechat.ScopeBase, "http://127.0.0.1:9090/wx/connect/oauth2/authorize" + rest + "snsapi_base" + end},
		"WeChat's other hosts": {wechat.Official, "https://sh.api.weixin.qq.com", wechat.ScopeBase, "https://open.weixin.qq.com/connect/oauth2/authorize" + rest + "snsapi_base" + end},
		"not WeChat's host":    {wechat.Official, "https://evilweixin.qq.com", wechat.ScopeBase, "https://evilweixin.qq.com/connect/oauth2/authorize" + rest + "snsapi_base" + end},
		"website":              {wechat.Website, "", "", "https://open.weixin.qq.com/connect/qrconnect" + rest + "snsapi_login" + end},
		"website, other scope": {wechat.Website, "", wechat.ScopeBase, "https://open.weixin.qq.com/connect/qrconnect" + rest + "snsapi_login" + end},
		"website, elsewhere":   {wechat.Website, "http://127.0.0.1:9090", "", "http://127.0.0.1:9090/connect/qrconnect" + rest + "snsapi_login" + end},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := mustClient(t, wechat.Config{API: row.api, Kind: row.kind})
			if got := client.AuthorizeURL(back, row.scope, state); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if client.Kind() != row.kind {
				t.Errorf("kind %q", client.Kind())
			}
		})
	}
}

// TestWebLoginResponses checks the user that logs in, and whether the profile was requested. No
// response has a session key.
func TestWebLoginResponses(t *testing.T) {
	t.Parallel()
	whole, bare := auth.LoginResult{OpenID: openid, UnionID: "u1"}, auth.LoginResult{OpenID: openid}
	for name, row := range map[string]struct {
		login, user string
		want        auth.LoginResult
		err         error
		asked       int // for the profile
	}{
		"unionid":                  {login: webResponse("snsapi_userinfo", `,"unionid":"u1"`), want: whole},
		"website":                  {login: webResponse("snsapi_login", `,"unionid":"u1"`), want: whole},
		"base":                     {login: webResponse("snsapi_base", ``), want: bare},
		"base with unionid":        {login: webResponse("snsapi_base", `,"unionid":"u1"`), want: whole},
		"fallback":                 {login: webResponse("snsapi_userinfo", ``), user: goodUser, want: whole, asked: 1},
		"website, fallback":        {login: webResponse("snsapi_login", `,"is_snapshotuser":0`), user: goodUser, want: whole, asked: 1},
		"not bound":                {login: webResponse("snsapi_userinfo", ``), user: `{"openid":"` + string(openid) + `"}`, want: bare, asked: 1},
		"session key":              {login: webResponse("snsapi_userinfo", `,"unionid":"u1","session_key":"`+sampleKey+`"`), want: whole},
		"snapshot":                 {login: webResponse("snsapi_userinfo", `,"unionid":"u1","is_snapshotuser":1`), err: auth.ErrSnapshotUser},
		"snapshot as string":       {login: webResponse("snsapi_userinfo", `,"unionid":"u1","is_snapshotuser":"1"`), err: auth.ErrSnapshotUser},
		"snapshot, other value":    {login: webResponse("snsapi_base", `,"is_snapshotuser":2`), err: auth.ErrSnapshotUser},
		"snapshot as boolean":      {login: webResponse("snsapi_base", `,"is_snapshotuser":true`), err: auth.ErrWeChatUnreadable},
		"no openid":                {login: `{"access_token":"x","scope":"snsapi_base"}`, err: auth.ErrWeChatUnreadable},
		"openid invalid":           {login: `{"access_token":"x","scope":"snsapi_base","openid":"a/b"}`, err: auth.ErrWeChatUnreadable},
		"unionid invalid":          {login: webResponse("snsapi_userinfo", `,"unionid":"a b"`), err: auth.ErrWeChatUnreadable},
		"two openids":              {login: webResponse("snsapi_base", `,"openid":"o2"`), err: auth.ErrWeChatUnreadable},
		"no scope":                 {login: `{"access_token":"x","openid":"o1"}`, err: auth.ErrWeChatUnreadable},
		"a mini program's":         {login: goodLogin, err: auth.ErrWeChatUnreadable},
		"no token":                 {login: `{"openid":"o1","scope":"snsapi_userinfo"}`, err: auth.ErrWeChatUnreadable},
		"token with a space":       {login: `{"access_token":"a b","openid":"o1","scope":"snsapi_userinfo"}`, err: auth.ErrWeChatUnreadable},
		"HTML":                     {login: "<html>SECRET</html>", err: auth.ErrWeChatUnreadable},
		"profile of another":       {login: webResponse("snsapi_userinfo", ``), user: `{"openid":"oOther","unionid":"u2"}`, err: auth.ErrWeChatUnreadable, asked: 2},
		"profile without openid":   {login: webResponse("snsapi_userinfo", ``), user: `{"unionid":"u2"}`, err: auth.ErrWeChatUnreadable, asked: 2},
		"profile, unionid invalid": {login: webResponse("snsapi_userinfo", ``), user: `{"openid":"` + string(openid) + `","unionid":"a b"}`, err: auth.ErrWeChatUnreadable, asked: 2},
		"profile refused":          {login: webResponse("snsapi_userinfo", ``), user: `{"errcode":48001,"errmsg":"api unauthorized ` + userToken + `"}`, err: auth.ErrAppMisconfigured, asked: 1},
		"profile, token refused":   {login: webResponse("snsapi_userinfo", ``), user: `{"errcode":40001,"errmsg":"` + userToken + ` ` + url.QueryEscape(userToken) + `"}`, err: auth.ErrWeChatBusy, asked: 1},
		"profile, bad openid":      {login: webResponse("snsapi_userinfo", ``), user: `{"errcode":40003}`, err: auth.ErrWeChatUnreadable, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(webLoginPath, respond(row.login)).on(webUserPath, respond(row.user))
			got, err := web(t, p, wechat.Official).Exchange(t.Context(), code)
			wantErr(t, err, row.err)
			if got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if row.err != nil && row.err != auth.ErrSnapshotUser && strings.Contains(err.Error(), string(openid)) { //nolint:errorlint // the sentinel itself
				t.Errorf("the error has the openid: %v", err)
			}
			wantCalls(t, p, webLoginPath, 1)
			wantCalls(t, p, webUserPath, row.asked)
			wantCalls(t, p, tokenPath, 0)
		})
	}
}

// TestWebLoginSends: both requests are as WeChat documents them.
func TestWebLoginSends(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(webLoginPath, func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"appid": {string(app)}, "secret": {secret}, "code": {code}, "grant_type": {"authorization_code"}}
		if r.Method != http.MethodGet || r.URL.RawQuery != want.Encode() {
			t.Errorf("got %s %s, want %s", r.Method, r.URL.RawQuery, want.Encode())
		}
		respond(webResponse("snsapi_login", ""))(w, r)
	}).on(webUserPath, func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"access_token": {userToken}, "openid": {string(openid)}, "lang": {"zh_CN"}}
		if r.Method != http.MethodGet || r.URL.RawQuery != want.Encode() {
			t.Errorf("got %s %s, want %s", r.Method, r.URL.RawQuery, want.Encode())
		}
		respond(goodUser)(w, r)
	})
	_, err := web(t, p, wechat.Website).Exchange(t.Context(), code)
	wantErr(t, err, nil)
	wantCalls(t, p, webUserPath, 1)
}

// TestWebLoginErrcodes: a web page's codes have the meanings of a mini program's, and errors
// have no secrets.
func TestWebLoginErrcodes(t *testing.T) {
	t.Parallel()
	for errcode, want := range map[int]error{
		-1: auth.ErrWeChatBusy, 40001: auth.ErrAppMisconfigured, 40013: auth.ErrAppMisconfigured, 40029: auth.ErrInvalidCode, 40125: auth.ErrAppMisconfigured,
		40163: auth.ErrCodeUsed, 40226: auth.ErrRiskBlocked, 41008: auth.ErrInvalidRequest, 45011: auth.ErrRateLimited, 12345: auth.ErrWeChatUnreadable,
	} {
		p := newPlatform().on(webLoginPath, respond(fmt.Sprintf(`{"errcode":%d,"errmsg":"%s %s %s"}`, errcode, secret, code, url.QueryEscape(secret))))
		_, err := web(t, p, wechat.Official).Exchange(t.Context(), code)
		wantErr(t, err, want)
		wantCalls(t, p, webLoginPath, 1)
		wantCalls(t, p, webUserPath, 0)
	}
}

// TestWebLoginIsNeverReplayed: a code that was written to a connection is not written to
// another connection.
func TestWebLoginIsNeverReplayed(t *testing.T) {
	t.Parallel()
	address, requests := closing(t, webResponse("snsapi_base", ""), false)
	client := mustClient(t, wechat.Config{API: address, Kind: wechat.Official})
	_, err := client.Exchange(t.Context(), "first")
	wantErr(t, err, nil)
	_, err = client.Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrWeChatUnreachable)
	if got := requests.Load(); got != 2 {
		t.Fatalf("the server saw %d requests, want 2", got)
	}
}

// TestWebLoginTime: each call has a deadline, and is not repeated after it.
func TestWebLoginTime(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*fakePlatform{
		"login":   newPlatform().on(webLoginPath, hangs),
		"profile": newPlatform().on(webLoginPath, respond(webResponse("snsapi_userinfo", ""))).on(webUserPath, hangs),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				_, err := web(t, p, wechat.Official).Exchange(t.Context(), code)
				wantErr(t, err, auth.ErrWeChatTimeout)
				if took := time.Since(started); took != 5*time.Second {
					t.Errorf("gave up after %v", took)
				}
				wantCalls(t, p, webLoginPath, 1)
			})
		})
	}
}

// TestWebLoginBreaker: neither bad codes nor snapshot users open the circuit breaker, and an
// open one spends no code.
func TestWebLoginBreaker(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"errcode":40029}`: "closed", webResponse("snsapi_base", `,"is_snapshotuser":1`): "closed", `{"errcode":-1}`: "open",
	} {
		p := newPlatform().on(webLoginPath, respond(body))
		client := web(t, p, wechat.Official)
		for i := range 10 {
			if _, err := client.Exchange(t.Context(), fmt.Sprint(i)); err == nil {
				t.Fatal("the login succeeded")
			}
		}
		if got := client.Breaker(); got != want {
			t.Errorf("ten times %s: %s, want %s", body, got, want)
		}
	}
}

// TestWebLoginIsObserved: each call is reported with its name.
func TestWebLoginIsObserved(t *testing.T) {
	t.Parallel()
	var seen []string
	p := newPlatform().on(webLoginPath, respond(webResponse("snsapi_userinfo", "")), respond(webResponse("snsapi_base", `,"is_snapshotuser":1`))).on(webUserPath, respond(goodUser))
	client := mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Kind: wechat.Official, Observe: func(_ context.Context, c wechat.Call) {
		seen = append(seen, fmt.Sprint(c.Name, " ", c.Class, " ", c.Sent))
	}})
	for _, code := range []string{"one", "two"} {
		_, _ = client.Exchange(t.Context(), code)
	}
	want := "oauth2_access_token <nil> true, userinfo <nil> true, oauth2_access_token " + auth.ErrSnapshotUser.Error() + " true"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestKindConfig: options that a web app does not have are refused before the first login.
func TestKindConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]wechat.Config{
		"unknown":   {Kind: "shop", Secret: secret},
		"sibling":   {Kind: wechat.Official, Platform: wechat.QQ, Secret: secret},
		"component": {Kind: wechat.Official, Component: &wechat.Component{AppID: "wx1", TokenURL: "http://127.0.0.1:1/x"}},
		"risk":      {Kind: wechat.Website, Secret: secret, Risk: new(wechat.RiskConfig)},
		"phones":    {Kind: wechat.Official, Secret: secret, CheckPhone: true},
		"no secret": {Kind: wechat.Official},
		"encrypted": {Kind: wechat.Website, Secret: secret, Security: new(apisecurity.Security)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.AppID = app
			_, err := wechat.New(cfg)
			wantErr(t, err, auth.ErrAppMisconfigured)
		})
	}
}

// TestKindsLackCalls: calls that only mini programs have are refused without a request, and a
// website has no access token.
func TestKindsLackCalls(t *testing.T) {
	t.Parallel()
	for _, kind := range []wechat.Kind{wechat.Official, wechat.Website} {
		p := newPlatform().on(tokenPath, respond(goodToken)).on("/cgi-bin/x", respond(`{"errcode":0}`))
		client := web(t, p, kind)
		key := auth.SessionKey{Key: sampleKey}
		_, phone := client.PhoneNumber(t.Context(), code, openid)
		_, reset := client.ResetSessionKey(t.Context(), openid, key)
		_, _, image := client.MiniProgramCode(t.Context(), "scene", "")
		for _, err := range []error{phone, reset, image, client.CheckSession(t.Context(), openid, key)} {
			wantErr(t, err, auth.ErrUnsupported)
		}
		if len(p.seen) != 0 {
			t.Errorf("%s: called %v", kind, p.seen)
		}
		resp, err := client.Forward(t.Context(), wechat.Outgoing{Method: http.MethodGet, Path: "/cgi-bin/x"})
		if kind == wechat.Website {
			wantErr(t, err, auth.ErrAppMisconfigured)
			wantErr(t, client.CheckCredentials(t.Context()), auth.ErrUnsupported)
			wantCalls(t, p, tokenPath, 0)
			continue
		}
		wantErr(t, err, nil)
		wantErr(t, client.CheckCredentials(t.Context()), nil)
		_ = resp.Body.Close()
	}
}

// FuzzWebLogin: whatever WeChat responds, the result is a user or an error without secrets.
func FuzzWebLogin(f *testing.F) {
	for _, seed := range []string{webResponse("snsapi_userinfo", ""), webResponse("snsapi_base", `,"is_snapshotuser":1`), goodLogin, `{"errcode":"40029"}`, `[]`, ``} {
		f.Add([]byte(seed), []byte(goodUser))
	}
	p := newPlatform()
	client := web(f, p, wechat.Official)
	f.Fuzz(func(t *testing.T, login, user []byte) {
		write := func(body []byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
		}
		p.on(webLoginPath, write(login)).on(webUserPath, write(user))
		who, err := client.Exchange(t.Context(), code)
		if (err == nil) != auth.ValidID(who.OpenID) || who.UnionID != "" && !auth.ValidID(who.UnionID) || who.SessionKey != "" {
			t.Errorf("got %+v, %v", who, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error has the secret: %v", err)
		}
	})
}
