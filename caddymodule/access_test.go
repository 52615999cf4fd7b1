package caddymodule_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// directiveSite is [site] with options in the directive wxgate, and routes after it.
func directiveSite(options, routes string) string {
	return siteWith{handler: options, routes: routes}.String()
}

// identityNames are the identity headers by default.
var identityNames = []string{"X-Wx-Openid", "X-Wx-Unionid", "X-Wx-Appid", "X-Wx-Source", "X-Wx-Session"}

// phoneToken returns an access token with a verified phone number.
func (f *fixture) phoneToken(name string) string {
	f.t.Helper()
	token := f.token(name)
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: name}, wechatsim.PhoneNumber{Number: "10012345678"})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", "Bearer "+token)
	a.want(f.t, http.StatusOK, "")
	return a.str(f.t, "access_token")
}

// TestPaths sends each kind of token to each kind of path, and checks the identity that the
// upstream gets.
func TestPaths(t *testing.T) {
	f := newFixture(t, directiveSite(`
		public /public /static/*
		optional /optional
		require phone on /pay/* /phone
		require unionid on /union
		require app wx0000000000000001 on /mine`, ""))
	code, err := f.sim.Sim.MintCode(wechatsim.User{Name: "bob"}, wechatsim.Login{UnionID: "union-of-bob"})
	if err != nil {
		t.Fatal(err)
	}
	bob := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code))
	bob.want(t, http.StatusOK, "")
	tokens := map[string]string{"plain": f.token("alice"), "phone": f.phoneToken("alice"), "union": bob.str(t, "access_token"), "bad": "nonsense"}
	for _, tc := range []struct {
		path, token string
		status      int
		code        string
		identified  bool
	}{
		{"/public", "", 200, "", false},
		{"/public", "plain", 200, "", false}, // identity headers are removed even so
		{"/public", "bad", 200, "", false},
		{"/public/", "", 401, "missing_token", false},
		{"/publicity", "", 401, "missing_token", false},
		{"/PUBLIC", "", 401, "missing_token", false},
		{"/static/a/b", "", 200, "", false},
		{"/static/", "", 200, "", false},
		{"/static", "", 401, "missing_token", false},
		{"/static/../orders", "", 400, "invalid_request", false},
		{"/static//orders", "", 400, "invalid_request", false},
		{"/static/%2e%2e/orders", "", 400, "invalid_request", false},
		{"/public?a=/b", "", 200, "", false},
		{"/optional", "", 200, "", false},
		{"/optional", "plain", 200, "", true},
		{"/optional", "bad", 401, "invalid_token", false},
		{"/orders", "", 401, "missing_token", false},
		{"/orders", "plain", 200, "", true},
		{"/orders", "bad", 401, "invalid_token", false},
		{"/pay/1", "", 401, "missing_token", false},
		{"/pay/1", "plain", 403, "phone_required", false},
		{"/pay/1", "phone", 200, "", true},
		{"/phone", "plain", 403, "phone_required", false},
		{"/phone", "phone", 200, "", true},
		{"/pay", "plain", 403, "phone_required", false}, // many routers treat it as /pay/
		{"/union", "plain", 403, "unionid_required", false},
		{"/union", "union", 200, "", true},
		{"/mine", "plain", 200, "", true},
	} {
		t.Run(tc.path+" with "+tc.token, func(t *testing.T) {
			header := []string{"X-WX-OPENID", "mallory", "X_WX_PHONE", "mallory"}
			if tc.token != "" {
				header = append(header, "Authorization", "Bearer "+tokens[tc.token])
			}
			before := f.upstream.count()
			a := f.do("GET", tc.path, "", header...)
			a.want(t, tc.status, tc.code)
			if tc.status == 403 && !strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
			if tc.status != 200 {
				if f.upstream.count() != before {
					t.Error("a refused request reached the upstream")
				}
				return
			}
			r := f.upstream.last(t)
			if got := r.Header.Get("X-Wx-Openid") != ""; got != tc.identified || strings.Contains(fmt.Sprint(r.Header), "mallory") {
				t.Errorf("identified = %v, want %v: %v", got, tc.identified, r.Header)
			}
			if r.Header.Get("Authorization") != "" {
				t.Error("the token reached the upstream")
			}
		})
	}
}

// TestTokenFrom: the token is read from the configured place, and removed from the request
// unless forward_token is set.
func TestTokenFrom(t *testing.T) {
	for _, tc := range []struct {
		options      string
		path, header string // of the request; TOKEN is replaced
		twice        string // a header or query with two tokens
		uri, rest    string // the URI and the header that the upstream must get
	}{
		{"token_from header", "/a?x=1", "Authorization: bearer TOKEN", "Authorization: Bearer TOKEN, Bearer TOKEN", "/a?x=1", ""},
		{"token_from header\n\t\tforward_token", "/a", "Authorization: Bearer TOKEN", "", "/a", "Bearer TOKEN"},
		{"token_from header X-Session-Token", "/a", "X-Session-Token: TOKEN", "X-Session-Token: TOKEN, TOKEN", "/a", ""},
		{"token_from header X-Session-Token\n\t\tforward_token", "/a", "X-Session-Token: TOKEN", "", "/a", "TOKEN"},
		{"token_from query token", "/a?x=1&token=TOKEN&y=%20", "", "?token=TOKEN&token=TOKEN", "/a?x=1&y=%20", ""},
		{"token_from query token", "/a?token=TOKEN", "", "?token=TOKEN&t%6Fken=TOKEN", "/a", ""},
		{"token_from query token\n\t\tforward_token", "/a?x=1&token=TOKEN", "", "", "/a?x=1&token=TOKEN", ""},
		{"token_from cookie session", "/a", "Cookie: a=1; session=TOKEN; b=2", "Cookie: session=TOKEN; session=TOKEN", "/a", "a=1; b=2"},
		{"token_from cookie session", "/a", "Cookie: session=TOKEN", "", "/a", ""},
		{"token_from header X-Session-Token", "/a", "X-Session-Token: TOKEN", "X~Session~Token: TOKEN", "/a", ""}, // PHP reads both as one header
		{"token_from query token", "/a?tokens=&token=TOKEN", "", "?token=TOKEN&Token[]=x", "/a?tokens=", ""},
		{"token_from cookie session_id", "/a", "Cookie: session_id=TOKEN; sessionid=1", "Cookie: session_id=TOKEN; session.id=x", "/a", "sessionid=1"},
		{"token_from cookie session\n\t\tforward_token", "/a", "Cookie: session=TOKEN", "", "/a", "session=TOKEN"},
	} {
		t.Run(tc.options+" "+tc.path+" "+tc.header, func(t *testing.T) {
			f := newFixture(t, directiveSite("\t\t"+tc.options, ""))
			token := f.token("alice")
			fill := func(s string) string { return strings.ReplaceAll(s, "TOKEN", token) }
			pair := func(line string) []string {
				name, value, ok := strings.Cut(fill(line), ": ")
				if !ok {
					return nil
				}
				return []string{name, value}
			}
			f.do("GET", fill(tc.path), "", pair(tc.header)...).want(t, http.StatusOK, "")
			r := f.upstream.last(t)
			if r.RequestURI != fill(tc.uri) {
				t.Errorf("the upstream got %s, want %s", r.RequestURI, fill(tc.uri))
			}
			name, _, _ := strings.Cut(tc.header, ": ")
			if got := r.Header.Get(name); got != fill(tc.rest) {
				t.Errorf("the upstream got %s: %q, want %q", name, got, fill(tc.rest))
			}
			if r.Header.Get("X-Wx-Openid") == "" {
				t.Error("no identity")
			}

			if strings.HasPrefix(tc.header, "Authorization") {
				f.do("GET", "/a", "", "X-Session-Token", token).want(t, http.StatusUnauthorized, "missing_token")
			} else {
				f.do("GET", "/a", "", "Authorization", "Bearer "+token).want(t, http.StatusBadRequest, "invalid_request")
			}
			if query, ok := strings.CutPrefix(tc.twice, "?"); ok {
				f.do("GET", "/a?"+fill(query), "").want(t, http.StatusBadRequest, "invalid_request")
			} else if tc.twice != "" {
				f.do("GET", "/a", "", pair(tc.twice)...).want(t, http.StatusBadRequest, "invalid_request")
			}
			if n := f.upstream.count(); n != 0 {
				t.Errorf("%d refused requests reached the upstream", n)
			}
		})
	}
}

// TestHeaderNames renames every identity header. Clients can send neither the default names nor
// the new ones.
func TestHeaderNames(t *testing.T) {
	f := newFixture(t, directiveSite(`
		headers {
			openid X-User-Id
			unionid X-User-Union
			appid X-User-App
			source X-User-Source
			session X-User-Session
			phone X-User-Phone
			assertion X-User-Proof orders
		}`, ""))
	header := []string{"Authorization", "Bearer " + f.phoneToken("alice")}
	for _, name := range append([]string{"X-User-Id", "x_user.id", "X-User-Union", "X-USER-PHONE", "X-User-Proof"}, identityNames...) {
		header = append(header, name, "mallory")
	}
	f.do("GET", "/orders", "", header...).want(t, http.StatusOK, "")
	r := f.upstream.last(t)
	for name, want := range map[string]string{
		"X-User-Id":     wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"),
		"X-User-Union":  "",
		"X-User-App":    wechatsim.DefaultApp.ID,
		"X-User-Source": "wx_client",
		"X-User-Phone":  "+8610012345678",
	} {
		if got := r.Header.Get(name); got != want || len(r.Header[name]) > 1 {
			t.Errorf("%s: %q, want %q", name, r.Header[name], want)
		}
	}
	if len(r.Header["X-User-Session"]) != 1 || strings.Count(r.Header.Get("X-User-Proof"), ".") != 2 {
		t.Errorf("session %q, assertion %q", r.Header["X-User-Session"], r.Header["X-User-Proof"])
	}
	for _, name := range identityNames {
		if r.Header.Get(name) != "" {
			t.Errorf("%s still reaches the upstream", name)
		}
	}
	if strings.Contains(fmt.Sprint(r.Header), "mallory") {
		t.Errorf("a header of the client reached the upstream: %v", r.Header)
	}
}

// TestPlaceholders uses every placeholder in a header and in a response, with an identity
// and without: an unset placeholder would be sent as its own name.
func TestPlaceholders(t *testing.T) {
	const all = "[{wxgate.openid}][{wxgate.unionid}][{wxgate.appid}][{wxgate.source}][{wxgate.phone}][{wxgate.app_version}][{wxgate.app_env}]"
	const referer = "https://servicewechat.com/wx0000000000000001/12/page-frame.html"
	f := newFixture(t, strings.Replace(directiveSite("\t\toptional /* \n\t\theaders {\n\t\t\tphone X-WX-PHONE\n\t\t\tapp_env X-App-Env\n\t\t}", "\trespond /who \""+all+"[{wxgate.session}][{http.auth.user.id}]\"\n\t@trial vars {wxgate.app_env} trial devtools\n\trespond @trial \"of the trial version\""),
		"reverse_proxy {{.Upstream}}", "reverse_proxy {{.Upstream}} {\n\t\theader_up X-Seen \""+all+"\"\n\t\theader_up X-User \"[{http.auth.user.id}]\"\n\t}", 1))
	openid := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	known := "[" + openid + "][][wx0000000000000001][wx_client][+8610012345678][12][release]"
	bearer := "Bearer " + f.phoneToken("alice")

	f.do("GET", "/orders", "", "Authorization", bearer, "Referer", referer, "X-App-Env", "forged", "x-app_env", "forged").want(t, http.StatusOK, "")
	r := f.upstream.last(t)
	if got := r.Header["X-App-Env"]; !slices.Equal(got, []string{"release"}) {
		t.Errorf("the environment is %q", got)
	}
	if got := r.Header.Get("X-Seen"); got != known {
		t.Errorf("with an identity: %q, want %q", got, known)
	}
	user := r.Header.Get("X-User")
	if len(user) < 12 || strings.Contains(user, openid) || strings.Contains(user, "{") {
		t.Errorf("the user ID for logs is %q", user)
	}
	if got := f.do("GET", "/who", "", "Authorization", bearer, "Referer", referer).body; !strings.HasPrefix(got, known) || !strings.HasSuffix(got, user) {
		t.Errorf("in a response: %q", got)
	}
	if got := f.do("GET", "/orders", "", "Authorization", bearer, "Referer", strings.Replace(referer, "/12/", "/0/", 1)).body; got != "of the trial version" {
		t.Errorf("routed by the environment: %q", got)
	}
	f.do("GET", "/orders", "", "Referer", referer, "X-App-Env", "forged").want(t, http.StatusOK, "")
	if r = f.upstream.last(t); r.Header["X-App-Env"] != nil || r.Header.Get("X-Seen") != "[][][][][][][]" || r.Header.Get("X-User") != "[]" {
		t.Errorf("without an identity: %q %q %q", r.Header["X-Seen"], r.Header["X-User"], r.Header["X-App-Env"])
	}
	if got := f.do("GET", "/who", "").body; got != "[][][][][][][][][]" {
		t.Errorf("in a response without an identity: %q", got)
	}

	// A user has the same ID in all sessions, and no two users have the same ID.
	f.do("GET", "/orders", "", "Authorization", "Bearer "+f.token("alice")).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-User"); got != user {
		t.Errorf("a second session of one user is %q, was %q", got, user)
	}
	f.do("GET", "/orders", "", "Authorization", "Bearer "+f.token("bob")).want(t, http.StatusOK, "")
	if got := f.upstream.last(t).Header.Get("X-User"); got == user {
		t.Errorf("two users are both %q", got)
	}
}

// TestOriginalURIHasNoToken: Caddy keeps the original URI. If the token was in its query, no
// placeholder forwards it to the upstream.
func TestOriginalURIHasNoToken(t *testing.T) {
	config := strings.Replace(directiveSite("\t\ttoken_from query ticket", ""), "reverse_proxy {{.Upstream}}",
		"reverse_proxy {{.Upstream}} {\n\t\theader_up X-Uri {http.request.orig_uri}\n\t\theader_up X-Query {http.request.orig_uri.query}\n\t\theader_up X-Prefixed {http.request.orig_uri.prefixed_query}\n\t}", 1)
	f := newFixture(t, config)
	token := f.token("alice")
	f.do("GET", "/a?x=1&ticket="+token, "").want(t, http.StatusOK, "")
	r := f.upstream.last(t)
	for name, want := range map[string]string{"X-Uri": "/a?x=1", "X-Query": "x=1", "X-Prefixed": "?x=1"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestNothingUnderThePrefixIsForwarded: the response to a misspelled call is 404 with a hint,
// with a token and without, and no upstream gets the request.
func TestNothingUnderThePrefixIsForwarded(t *testing.T) {
	f := newFixture(t, directiveSite("\t\tpublic /v1.0/*", ""))
	token := f.token("alice")
	for _, path := range []string{"/openid", "/OpenId", "/decode/", "/", "/anything", "/session/x"} {
		for _, header := range [][]string{nil, {"Authorization", "Bearer " + token}} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				f.do(method, pub+path, `{"code":"x"}`, header...).want(t, http.StatusNotFound, "not_found")
			}
		}
	}
	f.do("GET", "/V1.0/PUB/openId", "").want(t, http.StatusNotFound, "not_found")
	if f.upstream.count() != 0 {
		t.Errorf("%d requests reached the upstream", f.upstream.count())
	}
	f.do("GET", "/v1.0/public", "").want(t, http.StatusOK, "")
}

// TestNoTokenBesideTheToken: if the token is in a cookie, in the query or in another header,
// an upstream could believe that the gateway has verified a Bearer credential in
// Authorization. Credentials of other schemes are forwarded.
func TestNoTokenBesideTheToken(t *testing.T) {
	for options, with := range map[string]string{
		"token_from cookie session": "Cookie: session=TOKEN", "token_from query ticket": "?ticket=TOKEN", "token_from header X-Ticket": "X-Ticket: TOKEN",
	} {
		t.Run(options, func(t *testing.T) {
			f := newFixture(t, directiveSite("\t\toptional /feed\n\t\t"+options, ""))
			with = strings.ReplaceAll(with, "TOKEN", f.token("alice"))
			var own []string
			path := "/orders"
			if name, value, ok := strings.Cut(with, ": "); ok {
				own = []string{name, value}
			} else {
				path += with
			}
			for _, value := range []string{"Bearer forged", "bearer forged", "\u00a0Bearer forged", "Basic YTpi, Bearer forged"} {
				f.do("GET", path, "", append(own, "Authorization", value)...).want(t, http.StatusBadRequest, "invalid_request")
				f.do("GET", "/feed", "", "Authorization", value).want(t, http.StatusBadRequest, "invalid_request")
			}
			query := "?access_token=forged"
			if strings.Contains(path, "?") {
				query = "&access_token=forged"
			}
			f.do("GET", path+query, "", own...).want(t, http.StatusBadRequest, "invalid_request")
			f.do("GET", "/feed?access_token=forged", "").want(t, http.StatusBadRequest, "invalid_request")
			f.do("GET", path, "", append(own, "Authorization", "Basic YTpi")...).want(t, http.StatusOK, "")
			if got := f.upstream.last(t).Header.Get("Authorization"); got != "Basic YTpi" {
				t.Errorf("the upstream got Authorization %q", got)
			}
		})
	}
}

// TestPublicPathsForwardNoToken: a public path has no identity. A token sent there reaches
// no upstream, whose framework could believe that the gateway has verified it.
func TestPublicPathsForwardNoToken(t *testing.T) {
	for _, options := range []string{"", "token_from cookie session", "token_from query ticket", "token_from query access_token"} {
		f := newFixture(t, strings.Replace(directiveSite("\t\tpublic /public/*\n\t\t"+options, ""), "reverse_proxy {{.Upstream}}",
			"reverse_proxy {{.Upstream}} {\n\t\theader_up X-Uri {http.request.orig_uri}\n\t}", 1))
		for _, query := range []string{"access_token=forged", "access%5Ftoken=forged", "Access_Token=forged", "access.token=forged", "access_token[]=forged", "x;access_token=forged"} {
			f.do("GET", "/public/x?a=1&"+query+"&b=%20", "").want(t, http.StatusOK, "")
			r := f.upstream.last(t)
			if r.RequestURI != "/public/x?a=1&b=%20" || strings.Contains(r.Header.Get("X-Uri"), "forged") {
				t.Errorf("%q: %s reached the upstream as %s, X-Uri %q", options, query, r.RequestURI, r.Header.Get("X-Uri"))
			}
		}
		for _, value := range []string{"Bearer forged", "Basic x Bearer forged", "!Bearer\u00a0forged"} {
			f.do("GET", "/public/x?a=1", "", "Authorization", value).want(t, http.StatusOK, "")
			if got := f.upstream.last(t).Header["Authorization"]; got != nil {
				t.Errorf("%q: the upstream got Authorization %q for %q", options, got, value)
			}
		}
		f.do("GET", "/public/x?token=a&accessToken=b", "", "Authorization", "Basic YTpi").want(t, http.StatusOK, "")
		if r := f.upstream.last(t); r.RequestURI != "/public/x?token=a&accessToken=b" || r.Header.Get("Authorization") != "Basic YTpi" {
			t.Errorf("%q: the upstream got %s, Authorization %q", options, r.RequestURI, r.Header["Authorization"])
		}
	}
}

// TestNoSpellingOfThePrefixIsForwarded: a path that an upstream would normalize to one under
// the prefix does not bypass the gateway, even on a site without path rules.
func TestNoSpellingOfThePrefixIsForwarded(t *testing.T) {
	f := newFixture(t, site)
	bearer := []string{"Authorization", "Bearer " + f.token("alice")}
	for _, path := range []string{
		"/v1.0/pub", "/v1.0/pub/", "/v1.0/pub//openId", "/v1.0//pub/openId", "//v1.0/pub/openId", "/v1.0/pub/./openid", "/v1.0/./pub/openid",
		"/v1.0/pub/%6fpenid", "/v1.0/%70ub/openid", "/v1.0/%2570ub/openid", "/v1.0/pub/openid;x", "/v1.0;x/pub/openid", "/v1.0/pub/x/../openid",
		"/x/../v1.0/pub/openid", "/v1.0%2fpub/openid", "/v1.0%5cpub/openid", "/V1.0/x/..;/pub/openid",
	} {
		if a := f.do("POST", path, `{"code":"x"}`, bearer...); a.status != http.StatusNotFound || a.str(t, "code") != "not_found" {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
	}
	if f.upstream.count() != 0 {
		t.Errorf("%d requests reached the upstream", f.upstream.count())
	}
	for _, path := range []string{"/v1.0/public", "/v1.0", "/x/v1.0/pub/openId", "/a//b", "/a/../v1.0/x", "/%70ub"} {
		f.do("GET", path, "", bearer...).want(t, http.StatusOK, "")
	}
}

// TestForwardedPrefix: X-Forwarded-Prefix is forwarded from trusted proxies only.
func TestForwardedPrefix(t *testing.T) {
	for trusted, want := range map[string]string{"": "", "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n\t": "/shop"} {
		f := newFixture(t, strings.Replace(directiveSite("\t\tpublic /public/*", ""), "admin off", trusted+"admin off", 1))
		f.do("GET", "/public/x", "", "X-Forwarded-Prefix", "/shop").want(t, http.StatusOK, "")
		if got := f.upstream.last(t).Header.Get("X-Forwarded-Prefix"); got != want {
			t.Errorf("trusted proxies %q: the upstream got %q", trusted, got)
		}
	}
}

// TestFreshLogin: a path may require a recent login. A refresh does not count as a login, and
// the response contains the maximum age.
func TestFreshLogin(t *testing.T) {
	f := newFixture(t, directiveSite("require fresh 1s on /transfer", ""))
	login := f.login("alice")
	call := func(login response) response {
		return f.do("GET", "/transfer", "", "Authorization", "Bearer "+login.str(t, "access_token"))
	}
	eventually(t, "the login is too old", func() bool { return call(login).status == http.StatusUnauthorized })
	a := call(f.refresh(login.str(t, "refresh_token")))
	a.want(t, http.StatusUnauthorized, "login_too_old")
	if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.HasSuffix(got, `, max_age="1"`) {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	f.do("GET", "/other", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusOK, "")
	call(f.login("alice")).want(t, http.StatusOK, "")
}
