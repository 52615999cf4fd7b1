package problem_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// TestLanguage: the detail is in Chinese for clients that prefer it. The challenge is always in
// English.
func TestLanguage(t *testing.T) {
	const english, chinese = "The session has ended.", "会话已结束。"
	for _, test := range []struct{ accepted, want string }{
		{"", english},
		{"zh-CN", chinese},
		{"zh-CN,zh-Hans;q=0.9", chinese}, // WeChat on iOS
		{"zh-TW", chinese},
		{"zh", chinese},
		{"en-US,en;q=0.9,zh;q=0.8", english},
		{"zh;q=0.8, en;q=0.5", chinese},
		{"de-DE,zh-CN;q=0.5", chinese},
		{"de", english},
		{"*", english},
		{"zh;q=nothing", english},
		{"\xff\xfe", english},
		{"zh" + strings.Repeat(",zh", 100), english},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", test.accepted)
		shared := problem.Of(auth.ErrSessionRevoked)
		p := shared.For(r)
		w := httptest.NewRecorder()
		if err := p.Write(w, "request"); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Text(), test.want) || !strings.Contains(w.Body.String(), `"detail":"`+test.want) {
			t.Errorf("%q: %s", test.accepted, w.Body)
		}
		if language := w.Header().Get("Content-Language"); (language == "zh-CN") != (test.want == chinese) {
			t.Errorf("%q: Content-Language %q", test.accepted, language)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); !strings.Contains(challenge, english) {
			t.Errorf("%q: %s", test.accepted, challenge)
		}
		if !strings.HasPrefix(shared.Text(), english) {
			t.Errorf("%q: the problem itself was changed", test.accepted)
		}
	}
}

// TestLanguageOfArguments: a detail has its arguments in each language.
func TestLanguageOfArguments(t *testing.T) {
	for _, test := range []struct {
		p                *problem.Problem
		english, chinese string
	}{
		{problem.BadRequest("Duplicate key %q.", "code"), `Duplicate key "code".`, `键 "code" 重复。`},
		{problem.MethodNotAllowed("Use %s.", "POST"), "Use POST.", "请使用 POST。"},
		{problem.BadRequest("Write a semicolon in the query as %%3B."), "Write a semicolon in the query as %3B.", "查询串中的分号请写成 %3B。"},
	} {
		if test.p.Detail != test.english || test.p.Chinese != test.chinese {
			t.Errorf("%q, %q; want %q, %q", test.p.Detail, test.p.Chinese, test.english, test.chinese)
		}
	}
}
