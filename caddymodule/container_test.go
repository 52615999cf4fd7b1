package caddymodule_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newContainer starts a server with the login call of TCMPP, as Tencent Cloud documents it.
// https://www.tencentcloud.com/document/product/1219/67646
func newContainer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openserver/sns/jscode2session", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("appid") != "mp0000000000000a" || q.Get("secret") != "made-up-secret-of-a-container" || q.Get("grant_type") != "authorization_code" || q.Get("js_code") != "good" {
			_, _ = w.Write([]byte(`{"errcode":40029,"errmsg":"invalid js_code","openid":"","requestId":"84574d84","session_key":"","unionid":""}`))
			return
		}
		_, _ = w.Write([]byte(`{"errcode":0,"errmsg":"ok","openid":"tcmpp-user","requestId":"84574d85","session_key":"tiihtNczf5v6AKRyjwEUhQ==","unionid":"tcmpp-union"}`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestContainer: an api with a path is a container with WeChat's login. Its appids and secrets
// may have other formats, and its errcodes are WeChat's. Without a path, these formats are
// refused.
func TestContainer(t *testing.T) {
	container := newContainer(t)
	app := "app mp0000000000000a made-up-secret-of-a-container {\n\t\t\tapi " + container.URL + "/openserver\n\t\t}"
	f := newFixture(t, siteWith{apps: app}.String())
	f.do("POST", pub+"/openId", `{"code":"bad"}`).want(t, http.StatusUnauthorized, "invalid_code")
	login := f.do("POST", pub+"/openId", `{"code":"good"}`)
	login.want(t, http.StatusOK, "")
	f.do("GET", "/orders", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusOK, "")
	got := f.upstream.last(t).Header
	if got.Get("X-WX-OPENID") != "tcmpp-user" || got.Get("X-WX-UNIONID") != "tcmpp-union" || got.Get("X-WX-APPID") != "mp0000000000000a" {
		t.Errorf("the upstream got %v", got)
	}
	for _, api := range []string{container.URL, container.URL + "/", "https://api.weixin.qq.com/openserver"} {
		f.config = strings.Replace(siteWith{apps: app}.String(), container.URL+"/openserver", api, 1)
		if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), "WeChat's format") {
			t.Errorf("api %s: %v", api, err)
		}
	}
}
