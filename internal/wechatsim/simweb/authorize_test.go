package simweb_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

const callback = "http://127.0.0.1:8080/v1.0/pub/web/callback"

// officialPage is a right link to the page of logins inside WeChat, with a scope. Later pairs
// replace parameters.
func officialPage(base, scope string, pairs ...string) string {
	return link(base+simweb.OfficialPath, []string{
		"appid", simtest.OfficialApp.ID, "redirect_uri", callback, "response_type", "code", "scope", scope, "state", "s1",
	}, pairs)
}

// websitePage is the same for websites.
func websitePage(base string, pairs ...string) string {
	return link(base+simweb.WebsitePath, []string{
		"appid", simtest.WebsiteApp.ID, "redirect_uri", "https://www.example.com/callback?a=b", "response_type", "code", "scope", simweb.ScopeLogin, "state", "s1",
	}, pairs)
}

// link keeps the order of the parameters, which WeChat requires.
func link(path string, pairs, changes []string) string {
	for i := 0; i < len(changes); i += 2 {
		if at := index(pairs, changes[i]); at >= 0 {
			pairs[at+1] = changes[i+1]
		} else {
			pairs = append(pairs, changes[i], changes[i+1])
		}
	}
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, pairs[i]+"="+url.QueryEscape(pairs[i+1]))
	}
	return path + "?" + strings.Join(parts, "&")
}

func index(pairs []string, name string) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == name {
			return i
		}
	}
	return -1
}

// picked opens a page that returns at once, and returns the parameters of the callback.
func picked(t *testing.T, page string) (code, state string) {
	t.Helper()
	resp, body := simtest.Send(t, http.MethodGet, page, "")
	to, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("%d %v: %s", resp.StatusCode, err, body)
	}
	return to.Query().Get("code"), to.Query().Get("state")
}

// TestAuthorizeReturns picks a user, by the link of the page and by the URL that As makes.
func TestAuthorizeReturns(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, test := range []struct{ name, page, want string }{
		{"base", officialPage(srv.URL, simweb.ScopeBase), callback + "?code="},
		{"userinfo", officialPage(srv.URL, simweb.ScopeUserInfo), callback + "?code="},
		{"a website", websitePage(srv.URL), "https://www.example.com/callback?a=b&code="},
		{"localhost", officialPage(srv.URL, simweb.ScopeBase, "redirect_uri", "https://app.localhost/"), "https://app.localhost/?code="},
		{"128 bytes of state", officialPage(srv.URL, simweb.ScopeBase, "state", strings.Repeat("s", 128)), callback + "?code="},
		{"no state", officialPage(srv.URL, simweb.ScopeBase, "state", ""), callback + "?code="},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, page := simtest.Send(t, http.MethodGet, test.page, "")
			if resp.StatusCode != http.StatusOK || !strings.Contains(page, "carol") || !strings.Contains(page, "选择用户") {
				t.Fatalf("%d: %s", resp.StatusCode, page)
			}
			query, err := url.Parse(test.page)
			if err != nil {
				t.Fatal(err)
			}
			as := simweb.As(test.page+"#wechat_redirect", "alice")
			if !strings.HasSuffix(as, "&user=alice#wechat_redirect") {
				t.Errorf("As = %s", as)
			}
			resp, _ = simtest.Send(t, http.MethodGet, as, "")
			to := resp.Header.Get("Location")
			if resp.StatusCode != http.StatusFound || !strings.HasPrefix(to, test.want) || !strings.HasSuffix(to, "&state="+query.Query().Get("state")) {
				t.Errorf("%d to %q, want %s", resp.StatusCode, to, test.want)
			}
		})
	}
}

// TestAuthorizeRefuses has the reason on the page, and its code in the list of requests.
func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	const userinfo = simweb.ScopeUserInfo
	for _, test := range []struct {
		name, page, want string
		errcode          int
	}{
		{"no appid", officialPage(srv.URL, userinfo, "appid", ""), "appid is required", 10012},
		{"unknown appid", officialPage(srv.URL, userinfo, "appid", "wxeeeeeeeeeeeeeeee"), "knows no app", 40013},
		{"a mini program", officialPage(srv.URL, userinfo, "appid", simtest.Apps[0].ID), "not for apps of this kind", 10016},
		{"a website inside WeChat", officialPage(srv.URL, userinfo, "appid", simtest.WebsiteApp.ID), "not for apps of this kind", 10016},
		{"an official account outside", websitePage(srv.URL, "appid", simtest.OfficialApp.ID), "not for apps of this kind", 10016},
		{"no callback", officialPage(srv.URL, userinfo, "redirect_uri", ""), "redirect_uri is required", 10011},
		{"another machine's callback", officialPage(srv.URL, userinfo, "redirect_uri", "https://evil.example/"), "callback domains", 10003},
		{"a callback that begins like one", officialPage(srv.URL, userinfo, "redirect_uri", "https://127.0.0.1.evil.example/"), "callback domains", 10003},
		{"a callback with a user", officialPage(srv.URL, userinfo, "redirect_uri", "https://u@127.0.0.1/"), "callback domains", 10003},
		{"a script", officialPage(srv.URL, userinfo, "redirect_uri", "javascript://localhost/%0aalert(1)"), "callback domains", 10003},
		{"not the website's callback", websitePage(srv.URL, "redirect_uri", callback), "callback domains", 10003},
		{"below the website's callback", websitePage(srv.URL, "redirect_uri", "https://a.www.example.com/"), "callback domains", 10003},
		{"response_type", officialPage(srv.URL, userinfo, "response_type", "token"), "response_type must be code", 0},
		{"no scope", officialPage(srv.URL, ""), "scope is required", 10010},
		{"the scope of websites", officialPage(srv.URL, simweb.ScopeLogin), "no permission for this scope", 10005},
		{"the scope inside WeChat", websitePage(srv.URL, "scope", userinfo), "no permission for this scope", 10005},
		{"129 bytes of state", officialPage(srv.URL, userinfo, "state", strings.Repeat("s", 129)), "longer than 128 bytes", 0},
		{"a long name", officialPage(srv.URL, userinfo, "user", strings.Repeat("u", 65)), "longer than 64 bytes", 0},
		{"another order", link(srv.URL+simweb.OfficialPath, []string{
			"redirect_uri", callback, "appid", simtest.OfficialApp.ID, "response_type", "code", "scope", userinfo, "state", "s1",
		}, nil), "in this order", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A user in the URL changes nothing.
			page := test.page
			if test.name != "a long name" {
				page = simweb.As(page, "alice")
			}
			resp, body := simtest.Send(t, http.MethodGet, page, "")
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, test.want) || resp.Header.Get("Location") != "" {
				t.Errorf("%d, want %q in %s", resp.StatusCode, test.want, body)
			}
			seen := srv.Sim.Requests()
			if last := seen[len(seen)-1]; last.ErrCode != test.errcode || last.Result != "error" {
				t.Errorf("the request has errcode %d, %q, want %d", last.ErrCode, last.Result, test.errcode)
			}
		})
	}
}

// TestAuthorizeIsLocal refuses other machines, which may reach the API.
func TestAuthorizeIsLocal(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for peer, want := range map[string]int{
		"127.0.0.1:1234": http.StatusFound, "[::1]:1234": http.StatusFound, "[::ffff:127.0.0.1]:1": http.StatusFound,
		"192.0.2.1:1234": http.StatusForbidden, "[2001:db8::1]:1": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodGet, simweb.As(officialPage("", simweb.ScopeBase, "appid", wechatsim.WebApps()[0].ID), "alice"), http.NoBody)
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		sim.API().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d: %s", peer, w.Code, want, w.Body)
		}
	}
}

// TestPageEscapes shows names that are HTML, and links that stay on the page's address.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	strange := `<img src=x>"&user=bob`
	if err := srv.Sim.AddUser(wechatsim.User{App: simtest.OfficialApp.ID, Name: strange}, wechatsim.Details{NickName: "n"}); err != nil {
		t.Fatal(err)
	}
	page := officialPage(srv.URL, simweb.ScopeUserInfo)
	resp, body := simtest.Send(t, http.MethodGet, page+"&x=%22%3E%3Cscript%3E\"><script>", "")
	if strings.Contains(body, "<img") || strings.Contains(body, "<script") || !strings.Contains(body, "&lt;img src=x&gt;") {
		t.Errorf("the page has HTML of others: %s", body)
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy: %s", policy)
	}
	code, _ := picked(t, simweb.As(page, strange))
	r := simtest.Call(t, http.MethodGet, exchangeURL(srv.URL, simtest.OfficialApp, code), "")
	if r.OpenID != wechatsim.OpenIDFor(simtest.OfficialApp.ID, strange) {
		t.Errorf("the link logged in %+v", r)
	}
}

// FuzzAuthorize has a callback and a user of any text: a redirect goes to a host that is allowed,
// and nothing else is a redirect.
func FuzzAuthorize(f *testing.F) {
	f.Add("http://127.0.0.1/", "alice")
	f.Add("https://localhost@evil.example/", "a&user=b")
	f.Add("//evil.example", "#")
	f.Add("http://127.0.0.1\\@evil.example/", "%")
	f.Fuzz(func(t *testing.T, back, user string) {
		sim := wechatsim.New(wechatsim.Config{})
		r := httptest.NewRequest(http.MethodGet, simweb.As(officialPage("", simweb.ScopeBase, "appid", wechatsim.WebApps()[0].ID, "redirect_uri", back), user), http.NoBody)
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		sim.API().ServeHTTP(w, r)
		if w.Code != http.StatusFound {
			if w.Header().Get("Location") != "" {
				t.Errorf("%d with a Location", w.Code)
			}
			return
		}
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Query().Get("code") == "" && !strings.Contains(to.RawQuery, ";") {
			t.Fatalf("%v to %q", err, w.Header().Get("Location"))
		}
		if host := to.Hostname(); host != "localhost" && !strings.HasSuffix(host, ".localhost") && !strings.HasPrefix(host, "127.") && !strings.Contains(host, ":") {
			t.Errorf("to %q", to)
		}
	})
}
