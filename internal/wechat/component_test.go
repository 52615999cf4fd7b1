package wechat_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	componentLogin = "/sns/component/jscode2session"
	servicePath    = "/component-token"
)

func componentClient(t *testing.T, p *fakePlatform) *wechat.Client {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	client, err := wechat.New(wechat.Config{
		AppID: app, API: server.URL,
		Component: &wechat.Component{AppID: "wxcomponent", TokenURL: server.URL + servicePath + "?key=SECRETkey"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func componentToken(token string) http.HandlerFunc {
	return respond(`{"component_access_token":"` + token + `","expires_in":7200}`)
}

func TestComponentLogin(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		responses []http.HandlerFunc
		want      error
		logins    int
		tokens    int
	}{
		"good":                {[]http.HandlerFunc{respond(goodLogin)}, nil, 1, 1},
		"40001":               {[]http.HandlerFunc{respond(`{"errcode":40001}`), respond(goodLogin)}, nil, 2, 2},
		"42001 as a string":   {[]http.HandlerFunc{respond(`{"errcode":"42001"}`), respond(goodLogin)}, nil, 2, 2},
		"40014":               {[]http.HandlerFunc{respond(`{"errcode":40014}`), respond(goodLogin)}, nil, 2, 2},
		"always stale":        {[]http.HandlerFunc{respond(`{"errcode":42001}`)}, auth.ErrWeChatBusy, 2, 2},
		"code refused":        {[]http.HandlerFunc{respond(`{"errcode":40029}`)}, auth.ErrInvalidCode, 1, 1},
		"code used":           {[]http.HandlerFunc{respond(`{"errcode":40163}`)}, auth.ErrCodeUsed, 1, 1},
		"not authorized":      {[]http.HandlerFunc{respond(`{"errcode":61003}`)}, auth.ErrAppMisconfigured, 1, 1},
		"busy, never retried": {[]http.HandlerFunc{respond(`{"errcode":-1}`), respond(goodLogin)}, auth.ErrWeChatBusy, 1, 1},
		"HTML, never retried": {[]http.HandlerFunc{respond(`<html>`), respond(goodLogin)}, auth.ErrWeChatUnreadable, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(servicePath, componentToken("SECRETtoken-1"), componentToken("SECRETtoken-2")).on(componentLogin, row.responses...)
			who, err := componentClient(t, p).Exchange(t.Context(), code)
			wantErr(t, err, row.want)
			if err == nil && who.OpenID != openid {
				t.Errorf("got %+v", who)
			}
			wantCalls(t, p, componentLogin, row.logins)
			wantCalls(t, p, servicePath, row.tokens)
		})
	}
}

func TestComponentSends(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(servicePath, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Query().Get("key") != "SECRETkey" {
			t.Errorf("the service was called with %s %s", r.Method, r.URL)
		}
		componentToken("SECRETtoken-1")(w, r)
	}).on(componentLogin, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("component_access_token") != "SECRETtoken-1" || q.Get("component_appid") != "wxcomponent" || q.Get("appid") != string(app) ||
			q.Get("js_code") != code || q.Get("grant_type") != "authorization_code" || len(q) != 5 {
			t.Errorf("WeChat was called with %s", r.URL)
		}
		respond(goodLogin)(w, r)
	})
	client := componentClient(t, p)
	_, err := client.Exchange(t.Context(), code)
	wantErr(t, err, nil)
	// Calls that need the app's access token fail.
	_, err = client.PhoneNumber(t.Context(), code, openid)
	wantErr(t, err, auth.ErrAppMisconfigured)
	_, err = client.Forward(t.Context(), wechat.Outgoing{Method: "GET", Path: checkPicture})
	wantErr(t, err, auth.ErrAppMisconfigured)
}

// Responses of a token service without a token. The gateway then sends no login.
func TestComponentTokenService(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		response http.HandlerFunc
		want     error
	}{
		"empty":         {respond(``), auth.ErrWeChatUnreadable},
		"another field": {respond(`{"access_token":"x","expires_in":7200}`), auth.ErrWeChatUnreadable},
		"no expires_in": {respond(`{"component_access_token":"x"}`), auth.ErrWeChatUnreadable},
		"spaces":        {respond(`{"component_access_token":"x y","expires_in":7200}`), auth.ErrWeChatUnreadable},
		"endless":       {respond(`{"component_access_token":"` + strings.Repeat("x", 70<<10) + `","expires_in":7200}`), auth.ErrWeChatUnreadable},
		"not found":     {respondAs(404, "application/json", `{"component_access_token":"x","expires_in":7200}`), auth.ErrWeChatUnreadable},
		"redirect":      {respondAs(302, "text/html", ``), auth.ErrWeChatUnreadable},
		"an errcode":    {respond(`{"errcode":61004,"errmsg":"access clientip is not registered, key=SECRETkey"}`), auth.ErrWeChatUnreadable},
		"no ticket":     {respond(`{"errcode":40001}`), auth.ErrAppMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(servicePath, row.response)
			_, err := componentClient(t, p).Exchange(t.Context(), code)
			wantErr(t, err, row.want)
			wantCalls(t, p, componentLogin, 0)
		})
	}
}

func TestComponentConfig(t *testing.T) {
	t.Parallel()
	good := wechat.Component{AppID: "wxcomponent", TokenURL: "http://127.0.0.1:1/x"}
	for name, cfg := range map[string]wechat.Config{
		"neither":     {AppID: app},
		"both":        {AppID: app, Secret: secret, Component: &good},
		"no appid":    {AppID: app, Component: &wechat.Component{TokenURL: good.TokenURL}},
		"no URL":      {AppID: app, Component: &wechat.Component{AppID: "wx1"}},
		"another URL": {AppID: app, Component: &wechat.Component{AppID: "wx1", TokenURL: "ftp://SECRET/x"}},
		"a user":      {AppID: app, Component: &wechat.Component{AppID: "wx1", TokenURL: "http://u:SECRET@h/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.New(cfg)
			wantErr(t, err, auth.ErrAppMisconfigured)
		})
	}
}
