package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// siblingApp is the simulator's mini program on a platform.
func siblingApp(t testing.TB, p wechatsim.Platform) wechatsim.App {
	t.Helper()
	for _, app := range wechatsim.Siblings() {
		if app.Platform == p {
			return app
		}
	}
	t.Fatalf("no app on %s", p)
	return wechatsim.App{}
}

// TestSiblingLogin: a code returns its user once. A wrong code, a used code and another app's
// code are the client's fault; a wrong secret is the operator's.
func TestSiblingLogin(t *testing.T) {
	t.Parallel()
	for _, app := range wechatsim.Siblings() {
		t.Run(string(app.Platform), func(t *testing.T) {
			t.Parallel()
			f := newFaultedOn(t, app)
			user := wechatsim.User{App: app.ID, Name: "bob"}
			code, err := f.sim.MintCode(user, wechatsim.Login{UnionID: "UID_1"})
			if err != nil {
				t.Fatal(err)
			}
			who, err := f.client.Exchange(t.Context(), code.Code)
			if err != nil {
				t.Fatal(err)
			}
			key, err := f.sim.SessionKey(user)
			if err != nil {
				t.Fatal(err)
			}
			want := auth.LoginResult{OpenID: auth.OpenID(code.OpenID), UnionID: "UID_1", SessionKey: key}
			if app.Platform == wechatsim.Xiaohongshu || app.Platform == wechatsim.WeCom {
				want.UnionID = "" // these platforms have no unionid
			}
			if who != want {
				t.Errorf("got %+v, want %+v", who, want)
			}
			refused := auth.ErrInvalidCode
			if app.Platform == wechatsim.Xiaohongshu {
				refused = auth.ErrWeChatUnreadable // its error codes are not published
			}
			for _, bad := range []string{code.Code, "never-minted"} {
				_, err = f.client.Exchange(t.Context(), bad)
				wantErr(t, err, refused)
			}
			if f.client.Breaker() != "closed" {
				t.Error("bad codes opened the breaker")
			}
		})
	}
}

// A wrong secret is reported as app_misconfigured, in whichever call it is detected.
func TestSiblingWrongSecret(t *testing.T) {
	t.Parallel()
	for _, app := range wechatsim.Siblings() {
		t.Run(string(app.Platform), func(t *testing.T) {
			t.Parallel()
			server, err := simserver.Start(context.Background(), wechatsim.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			client := mustClient(t, wechat.Config{ // the secret in the tests is right
				Platform: wechat.Platform(app.Platform), AppID: auth.AppID(app.ID), API: server.URL + app.Platform.Prefix(),
			})
			want := auth.ErrAppMisconfigured
			if app.Platform == wechatsim.Xiaohongshu {
				want = auth.ErrWeChatUnreadable // its error codes are not published
			}
			_, err = client.Exchange(t.Context(), "code")
			wantErr(t, err, want)
			_, err = client.AccessTokens().Token(t.Context())
			wantErr(t, err, want)
		})
	}
}

// TestSiblingCodes checks each platform's table of codes, in responses to a login.
func TestSiblingCodes(t *testing.T) {
	t.Parallel()
	const weixin, douyin = `{"errcode":%d,"errmsg":"SECRET+app/secret= SECRETcode&0001"}`, `{"err_no":%d,"err_tips":"SECRET+app/secret= SECRETcode&0001"}`
	const kuaishou = `{"result":%d,"error_msg":"SECRET+app/secret= SECRETcode&0001"}`
	const xiaohongshu = `{"success":false,"code":%d,"msg":"SECRETtoken-1 SECRETcode&0001","data":null}`
	busy, invalid, wrong, operator := auth.ErrWeChatBusy, auth.ErrInvalidCode, auth.ErrInvalidRequest, auth.ErrAppMisconfigured
	for platform, row := range map[wechat.Platform]struct {
		path, body string
		codes      map[int]error
	}{
		wechat.QQ: {loginPath, weixin, map[int]error{
			-1: busy, 40029: invalid, 40163: auth.ErrCodeUsed, 45011: auth.ErrRateLimited, -101222100: operator, -2100: operator, 40226: auth.ErrRiskBlocked,
		}},
		wechat.Douyin: {"/api/apps/v2/jscode2session", douyin, map[int]error{
			-1: busy, 40014: wrong, 40015: operator, 40017: operator, 40018: invalid, 40019: invalid, 40020: operator,
		}},
		wechat.Kuaishou: {"/oauth2/mp/code2session", kuaishou, map[int]error{
			100200100: wrong, 100200101: operator, 100200102: operator, 100200104: operator, 100200105: invalid, 100200500: busy,
		}},
		wechat.Xiaohongshu: {"/api/rmp/session", xiaohongshu, map[int]error{2: busy, 410101: busy}},
		wechat.WeCom: {"/cgi-bin/miniprogram/jscode2session", weixin, map[int]error{
			-1: busy, 40001: operator, 40013: operator, 40014: busy, 40029: invalid, 41001: operator, 41002: operator, 41004: operator,
			41008: wrong, 42001: busy, 45009: auth.ErrRateLimited, 45033: busy, 48002: operator, 50003: operator, 60011: operator, 60020: operator,
		}},
	} {
		row.codes[424242] = auth.ErrWeChatUnreadable
		for errcode, want := range row.codes {
			t.Run(fmt.Sprintf("%s %d", platform, errcode), func(t *testing.T) {
				t.Parallel()
				p := newPlatform().on(row.path, respond(fmt.Sprintf(row.body, errcode))).
					on("/api/rmp/token", respond(`{"success":true,"code":0,"data":{"access_token":"`+token+`","expire_in":7200}}`)).
					on("/cgi-bin/gettoken", respond(goodToken))
				client := mustClient(t, wechat.Config{Platform: platform, API: "http://platform.invalid", Transport: p})
				_, err := client.Exchange(t.Context(), code)
				wantErr(t, err, want)
				platformError, ok := errors.AsType[*auth.PlatformError](err)
				if !ok || platformError.Code != errcode || !strings.Contains(platformError.Message, "[redacted]") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// TestSiblingResponses: a response in another format than the platform's is not accepted as a
// login.
func TestSiblingResponses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		platform wechat.Platform
		path     string
		body     string
		want     error
	}{
		"douyin, WeChat's shape":     {wechat.Douyin, "/api/apps/v2/jscode2session", goodLogin, auth.ErrWeChatUnreadable},
		"douyin, no data":            {wechat.Douyin, "/api/apps/v2/jscode2session", `{"err_no":0,"data":null}`, auth.ErrWeChatUnreadable},
		"douyin, anonymous":          {wechat.Douyin, "/api/apps/v2/jscode2session", `{"err_no":0,"data":{"anonymous_openid":"a1","openid":"","session_key":""}}`, auth.ErrWeChatUnreadable},
		"douyin, string":             {wechat.Douyin, "/api/apps/v2/jscode2session", `{"err_no":"40018"}`, auth.ErrInvalidCode},
		"kuaishou, no result":        {wechat.Kuaishou, "/oauth2/mp/code2session", `{"open_id":"o1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"kuaishou, result 0":         {wechat.Kuaishou, "/oauth2/mp/code2session", `{"result":0,"open_id":"o1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"kuaishou, WeChat's names":   {wechat.Kuaishou, "/oauth2/mp/code2session", `{"result":1,"openid":"o1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"kuaishou, bad openid":       {wechat.Kuaishou, "/oauth2/mp/code2session", `{"result":1,"open_id":"o/1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"kuaishou, good":             {wechat.Kuaishou, "/oauth2/mp/code2session", `{"result":1,"open_id":"o1","session_key":"k"}`, nil},
		"xiaohongshu, no success":    {wechat.Xiaohongshu, "/api/rmp/session", `{"code":0,"data":{"openid":"o1","session_key":"k"}}`, auth.ErrWeChatUnreadable},
		"xiaohongshu, contradiction": {wechat.Xiaohongshu, "/api/rmp/session", `{"success":true,"code":7,"data":{"openid":"o1","session_key":"k"}}`, auth.ErrWeChatUnreadable},
		"xiaohongshu, two names":     {wechat.Xiaohongshu, "/api/rmp/session", `{"success":true,"code":0,"data":{"openid":"o1","open_id":"o2","session_key":"k"}}`, auth.ErrWeChatUnreadable},
		"xiaohongshu, other name":    {wechat.Xiaohongshu, "/api/rmp/session", `{"success":true,"code":0,"data":{"open_id":"o2","session_key":"k"}}`, nil},
		"wecom, no corpid":           {wechat.WeCom, "/cgi-bin/miniprogram/jscode2session", `{"errcode":0,"userid":"u1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"wecom, another company":     {wechat.WeCom, "/cgi-bin/miniprogram/jscode2session", `{"errcode":0,"corpid":"ww9","userid":"u1","session_key":"k"}`, auth.ErrForbidden},
		"wecom, openid":              {wechat.WeCom, "/cgi-bin/miniprogram/jscode2session", `{"errcode":0,"corpid":"` + string(app) + `","openid":"u1","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"wecom, userid":              {wechat.WeCom, "/cgi-bin/miniprogram/jscode2session", `{"errcode":0,"corpid":"` + string(app) + `","userid":"san.zhang@x","session_key":"k"}`, nil},
		"wecom, header injection":    {wechat.WeCom, "/cgi-bin/miniprogram/jscode2session", `{"errcode":0,"corpid":"` + string(app) + `","userid":"a\r\nX-B: c","session_key":"k"}`, auth.ErrWeChatUnreadable},
		"qq, dotted":                 {wechat.QQ, loginPath, `{"openid":"a.b","session_key":"k"}`, auth.ErrWeChatUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(row.path, respond(row.body)).
				on("/api/rmp/token", respond(`{"success":true,"code":0,"data":{"access_token":"`+token+`","expire_in":7200}}`)).
				on("/cgi-bin/gettoken", respond(goodToken))
			client := mustClient(t, wechat.Config{Platform: row.platform, API: "http://platform.invalid", Transport: p})
			_, err := client.Exchange(t.Context(), code)
			wantErr(t, err, row.want)
			wantCalls(t, p, row.path, 1)
		})
	}
}

// Calls that a sibling does not support are refused without a request.
func TestSiblingsLackCalls(t *testing.T) {
	t.Parallel()
	for _, platform := range wechat.Platforms()[1:] {
		t.Run(string(platform), func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			client := mustClient(t, wechat.Config{Platform: platform, API: "http://platform.invalid", Transport: p})
			key := auth.SessionKey{Key: sampleKey}
			_, phone := client.PhoneNumber(t.Context(), code, openid)
			_, reset := client.ResetSessionKey(t.Context(), openid, key)
			_, forward := client.Forward(t.Context(), wechat.Outgoing{Method: http.MethodGet, Path: "/wxa/x"})
			for _, err := range []error{phone, reset, forward, client.CheckSession(t.Context(), openid, key)} {
				wantErr(t, err, auth.ErrUnsupported)
			}
			if len(p.seen) != 0 {
				t.Errorf("called %v", p.seen)
			}
		})
	}
}

// A code that was written to a connection is not written to another connection, with any HTTP
// method: see TestExchangeIsNeverReplayed.
func TestSiblingLoginsAreNeverReplayed(t *testing.T) {
	t.Parallel()
	for platform, first := range map[wechat.Platform]string{
		wechat.QQ:          goodLogin,
		wechat.Douyin:      `{"err_no":0,"data":` + goodLogin + `}`,
		wechat.Kuaishou:    `{"result":1,"open_id":"o1","session_key":"k"}`,
		wechat.Xiaohongshu: `{"success":true,"code":0,"data":{"access_token":"t","expire_in":7200}}`, // then the login
		wechat.WeCom:       goodToken,
	} {
		t.Run(string(platform), func(t *testing.T) {
			t.Parallel()
			url, requests := closing(t, first, false)
			client := mustClient(t, wechat.Config{Platform: platform, API: url})
			if platform != wechat.Xiaohongshu && platform != wechat.WeCom {
				_, err := client.Exchange(t.Context(), "first")
				wantErr(t, err, nil)
			}
			_, err := client.Exchange(t.Context(), code)
			wantErr(t, err, auth.ErrWeChatUnreachable)
			if got := requests.Load(); got != 2 {
				t.Fatalf("the server saw %d requests, want 2", got)
			}
		})
	}
}

// TestPlatformConfig: a configuration that cannot work is refused before the first login.
func TestPlatformConfig(t *testing.T) {
	t.Parallel()
	component := &wechat.Component{AppID: "wx1", TokenURL: "http://127.0.0.1:1/x"}
	for name, cfg := range map[string]wechat.Config{
		"unknown":                   {Platform: "baidu", AppID: app, Secret: secret},
		"another spelling":          {Platform: "QQ", AppID: app, Secret: secret},
		"component":                 {Platform: wechat.QQ, AppID: app, Component: component},
		"separate mini program":     {Platform: wechat.Douyin, AppID: app, Secret: secret, MiniProgram: "tt2"},
		"mini program, not an ID":   {Platform: wechat.WeCom, AppID: app, Secret: secret, MiniProgram: "a/b"},
		"mini program, on WeChat's": {AppID: app, Secret: secret, MiniProgram: "wx2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.New(cfg)
			wantErr(t, err, auth.ErrAppMisconfigured)
		})
	}
}

// Each platform is called at its default host unless the configuration sets another.
func TestPlatformHosts(t *testing.T) {
	t.Parallel()
	for platform, want := range map[wechat.Platform]string{
		"": "https://api.weixin.qq.com", wechat.QQ: "https://api.q.qq.com", wechat.Douyin: "https://developer.toutiao.com",
		wechat.Kuaishou: "https://open.kuaishou.com", wechat.Xiaohongshu: "https://miniapp.xiaohongshu.com", wechat.WeCom: "https://qyapi.weixin.qq.com",
	} {
		var asked string
		client := mustClient(t, wechat.Config{Platform: platform, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.Scheme + "://" + r.URL.Host
			return nil, errors.New("no network")
		})})
		_, err := client.Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrWeChatUnreachable)
		if asked != want {
			t.Errorf("%s: called %s, want %s", platform, asked, want)
		}
	}
}

// TestSiblingBreaker: each platform's error code for an outage opens the breaker, and its error
// codes about a login code do not.
func TestSiblingBreaker(t *testing.T) {
	t.Parallel()
	for platform, row := range map[wechat.Platform]struct{ busy, refused string }{
		wechat.QQ:          {`{"errcode":-1}`, `{"errcode":40029}`},
		wechat.Douyin:      {`{"err_no":-1}`, `{"err_no":40018}`},
		wechat.Kuaishou:    {`{"result":100200500}`, `{"result":100200105}`},
		wechat.Xiaohongshu: {`{"success":false,"code":2}`, `{"success":false,"code":400001}`},
		wechat.WeCom:       {`{"errcode":-1}`, `{"errcode":40029}`},
	} {
		for body, want := range map[string]string{row.busy: "open", row.refused: "closed"} {
			p := newPlatform().on(siblingPaths[platform][0], respond(body)).
				on("/api/rmp/token", respond(siblingResponses[14])).on("/cgi-bin/gettoken", respond(goodToken))
			client := mustClient(t, wechat.Config{Platform: platform, API: "http://platform.invalid", Transport: p})
			for i := range 10 {
				if _, err := client.Exchange(t.Context(), fmt.Sprint(i)); err == nil {
					t.Fatal("the login succeeded")
				}
			}
			if got := client.Breaker(); got != want {
				t.Errorf("%s: ten times %s: %s, want %s", platform, body, got, want)
			}
		}
	}
}

// TestSiblingTokenRenewal: on platforms whose logins need the app's token, they share one fetch
// of it. A refused token costs one more call of each kind, but no code.
func TestSiblingTokenRenewal(t *testing.T) {
	t.Parallel()
	for _, p := range []wechatsim.Platform{wechatsim.Xiaohongshu, wechatsim.WeCom} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			f := newFaultedOn(t, siblingApp(t, p)) // the user logged in once
			paths := siblingCalls[p]
			var all sync.WaitGroup
			for range 20 {
				code := f.code()
				all.Go(func() {
					if _, err := f.client.Exchange(t.Context(), code); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if logins, tokens := f.sim.Count(paths.login), f.sim.Count(paths.token); logins != 21 || tokens != 1 {
				t.Errorf("%d logins and %d tokens for 21", logins, tokens)
			}
			f.sim.ExpireTokens()
			if _, err := f.client.Exchange(t.Context(), f.code()); err != nil {
				t.Fatal(err)
			}
			if logins, tokens := f.sim.Count(paths.login), f.sim.Count(paths.token); logins != 23 || tokens != 2 {
				t.Errorf("%d logins and %d tokens after a refusal", logins, tokens)
			}
		})
	}
}
