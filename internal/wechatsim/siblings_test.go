package wechatsim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// sibling is the simulator's app on a platform, with its requests by hand, as the
// platform's page has them.
type sibling struct {
	t    *testing.T
	url  string
	sim  *wechatsim.Sim
	apps map[wechatsim.Platform]wechatsim.App
}

func newSibling(t *testing.T) *sibling {
	t.Helper()
	server, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &sibling{t: t, url: server.URL, sim: server.Sim, apps: map[wechatsim.Platform]wechatsim.App{}}
	for _, app := range wechatsim.Siblings() {
		s.apps[app.Platform] = app
	}
	return s
}

// ask sends a request and returns the members of the response. A body that begins
// with a brace is JSON, any other a form; without one it is a GET.
func (s *sibling) ask(path, body string) map[string]any {
	s.t.Helper()
	method, kind := http.MethodGet, ""
	switch {
	case strings.HasPrefix(body, "{"):
		method, kind = http.MethodPost, "application/json"
	case body != "":
		method, kind = http.MethodPost, "application/x-www-form-urlencoded"
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %q", path, resp.StatusCode, text)
	}
	return members
}

// code mints a login code of alice's.
func (s *sibling) code(p wechatsim.Platform) string {
	s.t.Helper()
	code, err := s.sim.MintCode(wechatsim.User{App: s.apps[p].ID}, wechatsim.Login{})
	if err != nil {
		s.t.Fatal(err)
	}
	return code.Code
}

// member walks into nested objects.
func member(response map[string]any, path string) any {
	var v any = response
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// token is an access token of the platform's.
func (s *sibling) token(p wechatsim.Platform) string {
	s.t.Helper()
	app := s.apps[p]
	var got any
	switch p {
	case wechatsim.QQ:
		got = member(s.ask("/qq/api/getToken?grant_type=client_credential&appid="+app.ID+"&secret="+app.Secret, ""), "access_token")
	case wechatsim.Douyin:
		got = member(s.ask("/douyin/api/apps/v2/token", `{"grant_type":"client_credential","appid":"`+app.ID+`","secret":"`+app.Secret+`"}`), "data.access_token")
	case wechatsim.Kuaishou:
		got = member(s.ask("/kuaishou/oauth2/access_token", "grant_type=client_credentials&app_id="+app.ID+"&app_secret="+app.Secret), "access_token")
	case wechatsim.Xiaohongshu:
		got = member(s.ask("/xiaohongshu/api/rmp/token", `{"appid":"`+app.ID+`","secret":"`+app.Secret+`"}`), "data.access_token")
	default:
		got = member(s.ask("/wecom/cgi-bin/gettoken?corpid="+app.ID+"&corpsecret="+app.Secret, ""), "access_token")
	}
	token, _ := got.(string)
	if token == "" {
		s.t.Fatalf("%s: no token", p)
	}
	return token
}

// login exchanges a code. secret is the app's, or its token where logins take one.
func (s *sibling) login(p wechatsim.Platform, code, secret string) map[string]any {
	s.t.Helper()
	app, code := s.apps[p], url.QueryEscape(code)
	switch p {
	case wechatsim.QQ:
		return s.ask("/qq/sns/jscode2session?grant_type=authorization_code&appid="+app.ID+"&secret="+secret+"&js_code="+code, "")
	case wechatsim.Douyin:
		return s.ask("/douyin/api/apps/v2/jscode2session", `{"appid":"`+app.ID+`","secret":"`+secret+`","code":"`+code+`"}`)
	case wechatsim.Kuaishou:
		return s.ask("/kuaishou/oauth2/mp/code2session", "app_id="+app.ID+"&app_secret="+secret+"&js_code="+code)
	case wechatsim.Xiaohongshu:
		return s.ask("/xiaohongshu/api/rmp/session?app_id="+app.ID+"&access_token="+secret+"&code="+code, "")
	default:
		return s.ask("/wecom/cgi-bin/miniprogram/jscode2session?grant_type=authorization_code&access_token="+secret+"&js_code="+code, "")
	}
}

// TestSiblings sends each platform a good login, a used code, a wrong secret
// and its own trouble in its own words.
func TestSiblings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		platform                wechatsim.Platform
		path                    string // of the login
		user, key, code         string // members of a response
		done, used, wrong, busy float64
	}{
		{wechatsim.QQ, "/qq/sns/jscode2session", "openid", "session_key", "errcode", 0, 40029, -101222100, -1},
		{wechatsim.Douyin, "/douyin/api/apps/v2/jscode2session", "data.openid", "data.session_key", "err_no", 0, 40018, 40017, -1},
		{wechatsim.Kuaishou, "/kuaishou/oauth2/mp/code2session", "open_id", "session_key", "result", 1, 100200105, 100200101, 100200500},
		{wechatsim.Xiaohongshu, "/xiaohongshu/api/rmp/session", "data.openid", "data.session_key", "code", 0, 400001, 410101, 2},
		{wechatsim.WeCom, "/wecom/cgi-bin/miniprogram/jscode2session", "userid", "session_key", "errcode", 0, 40029, 40014, -1},
	} {
		t.Run(string(row.platform), func(t *testing.T) {
			t.Parallel()
			s := newSibling(t)
			secret := s.apps[row.platform].Secret
			if row.platform == wechatsim.Xiaohongshu || row.platform == wechatsim.WeCom {
				secret = s.token(row.platform)
			}
			code := s.code(row.platform)
			if got := s.login(row.platform, code, "wrong"); member(got, row.code) != row.wrong {
				t.Errorf("a wrong secret: %v", got)
			}
			good := s.login(row.platform, code, secret)
			key, err := s.sim.SessionKey(wechatsim.User{App: s.apps[row.platform].ID})
			if err != nil {
				t.Fatal(err)
			}
			want := wechatsim.OpenIDFor(s.apps[row.platform].ID, "alice")
			if member(good, row.code) != row.done || member(good, row.user) != want || member(good, row.key) != key {
				t.Errorf("a good login: %v", good)
			}
			if got := s.login(row.platform, code, secret); member(got, row.code) != row.used || member(got, row.user) != nil {
				t.Errorf("a used code: %v", got)
			}
			if err := s.sim.Arm(fault.Fault{Path: row.path, Kind: fault.Busy, Times: 1}); err != nil {
				t.Fatal(err)
			}
			code = s.code(row.platform)
			if got := s.login(row.platform, code, secret); member(got, row.code) != row.busy {
				t.Errorf("busy: %v", got)
			}
			if got := s.login(row.platform, code, secret); member(got, row.code) != row.done {
				t.Errorf("the fault spent the code: %v", got)
			}
		})
	}
}

// TestSiblingTokens: which tokens live beside each other.
func TestSiblingTokens(t *testing.T) {
	t.Parallel()
	s := newSibling(t)
	for p, same := range map[wechatsim.Platform]bool{
		wechatsim.WeCom: true, wechatsim.QQ: false, wechatsim.Douyin: false, wechatsim.Kuaishou: false,
	} {
		first, second := s.token(p), s.token(p)
		if (first == second) != same {
			t.Errorf("%s: the same token for everybody: %v, want %v", p, !same, same)
		}
	}
	alive := func(token string) bool {
		success, _ := member(s.login(wechatsim.Xiaohongshu, s.code(wechatsim.Xiaohongshu), token), "success").(bool)
		return success
	}
	first := s.token(wechatsim.Xiaohongshu)
	second := s.token(wechatsim.Xiaohongshu)
	if !alive(first) || !alive(second) {
		t.Error("two tokens live at a time")
	}
	third := s.token(wechatsim.Xiaohongshu)
	if alive(first) || !alive(second) || !alive(third) {
		t.Error("and no three")
	}
	s.sim.Advance(5 * time.Minute)
	if alive(second) || !alive(third) {
		t.Error("the one before lives five minutes")
	}
}

// TestSiblingCodesAge: Kuaishou's codes live ten minutes, all others five.
func TestSiblingCodesAge(t *testing.T) {
	t.Parallel()
	s := newSibling(t)
	douyin, kuaishou, old := s.code(wechatsim.Douyin), s.code(wechatsim.Kuaishou), s.code(wechatsim.Kuaishou)
	s.sim.Advance(6 * time.Minute)
	if got := s.login(wechatsim.Douyin, douyin, s.apps[wechatsim.Douyin].Secret); member(got, "err_no") != 40018.0 {
		t.Errorf("Douyin, six minutes: %v", got)
	}
	if got := s.login(wechatsim.Kuaishou, kuaishou, s.apps[wechatsim.Kuaishou].Secret); member(got, "result") != 1.0 {
		t.Errorf("Kuaishou, six minutes: %v", got)
	}
	s.sim.Advance(5 * time.Minute)
	if got := s.login(wechatsim.Kuaishou, old, s.apps[wechatsim.Kuaishou].Secret); member(got, "result") != 100200105.0 {
		t.Errorf("Kuaishou, eleven minutes: %v", got)
	}
}

// A platform knows its own apps and codes only.
func TestSiblingsAreApart(t *testing.T) {
	t.Parallel()
	s := newSibling(t)
	qq := s.apps[wechatsim.QQ]
	if got := s.ask("/sns/jscode2session?grant_type=authorization_code&appid="+qq.ID+"&secret="+qq.Secret+"&js_code="+s.code(wechatsim.QQ), ""); member(got, "errcode") != 40013.0 {
		t.Errorf("QQ's app on WeChat: %v", got)
	}
	if got := s.login(wechatsim.Douyin, s.code(wechatsim.QQ), s.apps[wechatsim.Douyin].Secret); member(got, "err_no") != 40018.0 {
		t.Errorf("QQ's code on Douyin: %v", got)
	}
	if _, err := s.sim.MintPhoneCode(wechatsim.User{App: qq.ID}, wechatsim.PhoneNumber{}); err == nil {
		t.Error("QQ has a phone code")
	}
}
