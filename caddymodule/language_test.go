package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDetailsInChinese: the details of the login API, the guard, the envelope and the Wafer SDKs
// are in Chinese if the request prefers it, with the terms of the app's platform.
func TestDetailsInChinese(t *testing.T) {
	const douyin = "app tt0000000000000001 00000000000000000000000000000002 {\n\t\t\tplatform douyin\n\t\t\tapi {{.API}}/douyin\n\t\t}"
	f := newFixture(t, siteWith{apps: theApp + "\n\t\t" + douyin, sites: `http://{{.Addr}} {
	wxgate {
		compat wafer /weapp/login
	}
	reverse_proxy {{.Upstream}}
}
http://{{.Plain}} {
	bind 127.0.0.1
	wxgate {
		envelope {
			ok 0
		}
	}
	reverse_proxy {{.Upstream}}
}
`}.String())
	enveloped := *f
	enveloped.url = "http://" + f.plain
	const login = pub + "/openId"
	for _, test := range []struct {
		f                          *fixture
		method, path, body, within string
	}{
		{f, "GET", "/orders", "", `"detail":"请用 `},
		{f, "POST", login, `{"appid":"wx0000000000000001","code":"made-up"}`, `"detail":"微信拒绝了登录凭证 code`},
		{f, "POST", login, `{"appid":"tt0000000000000001","code":"made-up"}`, `"detail":"抖音拒绝了登录凭证 code`},
		{f, "POST", login, `{"code":1}`, `\"code\" 必须是字符串。`},
		{f, "GET", "/weapp/login", "", `"message":"请在请求头 X-WX-Code 中发送 wx.login 的 code。"`},
		{&enveloped, "POST", login, `{"appid":"wx0000000000000001","code":"made-up"}`, `"message":"微信拒绝了登录凭证 code`},
	} {
		a := test.f.do(test.method, test.path, test.body, "Accept-Language", "zh-CN,zh;q=0.9")
		if !strings.Contains(a.body, test.within) || a.header.Get("Content-Language") != "zh-CN" {
			t.Errorf("%s %s: %q %s", test.path, test.body, a.header.Get("Content-Language"), a.body)
		}
		english := test.f.do(test.method, test.path, test.body)
		if strings.ContainsFunc(english.body, func(r rune) bool { return r >= 0x4e00 }) || english.status != a.status {
			t.Errorf("%s %s: without Accept-Language: %d, %d with: %s", test.path, test.body, english.status, a.status, english.body)
		}
	}
	f.do("GET", "/orders", "", "Accept-Language", "zh").want(t, http.StatusUnauthorized, "missing_token")
}
