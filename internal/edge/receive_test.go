package edge

import (
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// newEdge returns a site that compares paths and has the login API at its default prefix.
func newEdge(t testing.TB, source Source, forward bool) *Edge {
	t.Helper()
	headers, err := NewHeaders(Names{Phone: "X-Phone"})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := NewCredentials(source, forward, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Edge{
		Headers: headers, Credentials: credentials, ComparesPaths: true, FoldsPaths: true, Prefix: "/v1.0/pub",
		Trusted: func(r *http.Request) bool { return r.RemoteAddr == "proxy" },
	}
}

// request returns a request with exactly these headers: header is a list of names and values.
func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for pair := range slices.Chunk(header, 2) {
		r.Header[pair[0]] = append(r.Header[pair[0]], pair[1]) // without canonical spelling
	}
	return r
}

// trailing returns a request with trailers of these names.
func trailing(names ...string) *http.Request {
	r := request("POST", "/orders")
	r.Trailer = http.Header{}
	for _, name := range names {
		r.Trailer[name] = nil
	}
	return r
}

// TestReceive reads normal requests and attacks.
func TestReceive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request *http.Request
		token   string
		spoofed int
		status  int // status of the refusal or of PathErr; 0 for none
		removed []string
		kept    []string
	}{
		"bearer":            {request: request("GET", "/orders", "Authorization", "Bearer abc"), token: "abc", removed: []string{"Authorization"}},
		"other scheme":      {request: request("GET", "/orders", "Authorization", "Basic abc"), kept: []string{"Authorization"}},
		"identity":          {request: request("GET", "/orders", "X-Wx-Openid", "victim", "X_WX_OPENID", "victim", "X-Phone", "1"), spoofed: 3, removed: []string{"X-Wx-Openid", "X_WX_OPENID", "X-Phone"}},
		"trailer":           {request: trailing("X-Wx-Openid", "X_WX_APPID", "X-Sum"), spoofed: 2},
		"connection":        {request: request("GET", "/orders", "Connection", "x-wx-openid"), removed: []string{"Connection"}},
		"TRACE":             {request: request("TRACE", "/orders", "X-Wx-Openid", "victim"), spoofed: 1, status: 405, removed: []string{"X-Wx-Openid"}},
		"CONNECT":           {request: request("CONNECT", "/orders"), status: 405},
		"WebSocket":         {request: request("GET", "/orders", "Upgrade", "WebSocket"), kept: []string{"Upgrade"}},
		"h2c":               {request: request("GET", "/orders", "Upgrade", "h2c"), status: 400},
		"two upgrades":      {request: request("GET", "/orders", "Upgrade", "websocket", "Upgrade", "h2c"), status: 400},
		"HTTP2-Settings":    {request: request("GET", "/orders", "Http2-Settings", "x"), removed: []string{"Http2-Settings"}},
		"override":          {request: request("GET", "/orders", "X-Rewrite-Url", "/admin", "X-Original-Pathname", "/admin", "X_Script_Name", "/a"), removed: []string{"X-Rewrite-Url", "X-Original-Pathname", "X_Script_Name"}},
		"prefix, untrusted": {request: request("GET", "/orders", "X-Forwarded-Prefix", "/a"), removed: []string{"X-Forwarded-Prefix"}},
		"other header":      {request: request("GET", "/orders", "X-Callback-Url", "/a", "X-Request-Id", "1", "X-Forwarded-For", "1"), kept: []string{"X-Callback-Url", "X-Request-Id", "X-Forwarded-For"}},
		"dot segment":       {request: request("GET", "/orders/../admin"), status: 400},
		"escaped slash":     {request: request("GET", "/orders%2f1"), status: 400},
		"in the API":        {request: request("GET", "/V1.0/pub/openid"), status: 404},
		"next to the API":   {request: request("GET", "/v1.0/public")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := test.request
			in, err := newEdge(t, Source{}, false).Receive(r)
			if err == nil {
				err = in.PathErr
			}
			if status := statusOf(err); status != test.status {
				t.Fatalf("status %d, want %d: %v", status, test.status, err)
			}
			if in.Token != test.token || r.Trailer != nil || in.Spoofed != test.spoofed || in.TokenErr != nil {
				t.Errorf("%+v", in)
			}
			for _, name := range test.removed {
				if values, ok := r.Header[name]; ok {
					t.Errorf("%s is left: %q", name, values)
				}
			}
			for _, name := range test.kept {
				if _, ok := r.Header[name]; !ok {
					t.Errorf("%s was removed", name)
				}
			}
		})
	}
}

func statusOf(err error) int {
	if err == nil {
		return 0
	}
	return problem.Of(err).Status
}

// TestReceiveFromProxies: a trusted proxy may report where the upstream is mounted, and a
// request that asks about another request keeps the headers that describe it.
func TestReceiveFromProxies(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{}, false)
	r := request("GET", "/orders", "X-Forwarded-Prefix", "/shop", "X-Original-Url", "/admin")
	r.RemoteAddr = "proxy"
	if _, err := e.Receive(r); err != nil || r.Header["X-Forwarded-Prefix"] == nil || r.Header["X-Original-Url"] != nil {
		t.Errorf("%v, %v", r.Header, err)
	}
	e.Asks = true
	r = request("GET", "/orders", "X-Original-Url", "/admin")
	if _, err := e.Receive(r); err != nil || r.Header["X-Original-Url"] == nil {
		t.Errorf("%v, %v", r.Header, err)
	}
}

// TestPlainSites: a site that treats all paths alike forwards any spelling of a path, and a
// site without the login API reserves no paths for it.
func TestPlainSites(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{}, false)
	e.ComparesPaths, e.FoldsPaths, e.Prefix = false, false, ""
	for _, target := range []string{"/a//b", "/v1.0/pub/openid", "/orders%2f1"} {
		r := request("GET", target, "X-Original-Url", "/admin")
		if in, err := e.Receive(r); err != nil || in.PathErr != nil || in.Path.Folded != "" || r.Header["X-Original-Url"] == nil {
			t.Errorf("%s: %+v, %v", target, in, err)
		}
	}
}

// TestForget: error routes get neither the identity nor the token, not even a forwarded token.
func TestForget(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{}, true)
	r := request("GET", "/orders", "Authorization", "Bearer abc")
	if in, err := e.Receive(r); err != nil || in.Token != "abc" || r.Header["Authorization"] == nil {
		t.Fatalf("%+v, %v, %v", in, err, r.Header)
	}
	e.Headers.Set(r.Header, &auth.Identity{User: auth.User{App: "wx1", OpenID: "o"}, Session: "s"}, "")
	e.Forget(r)
	if len(r.Header) > 0 {
		t.Errorf("left: %v", r.Header)
	}
}

// TestTake finds tokens in all supported places, and refuses two tokens.
func TestTake(t *testing.T) {
	t.Parallel()
	query, cookie, header := Source{SourceQuery, "t"}, Source{SourceCookie, "t"}, Source{SourceHeader, "X-Token"}
	for name, test := range map[string]struct {
		source  Source
		request *http.Request
		token   string
		two     bool
		left    string // the remaining URI and cookies
	}{
		"query":            {query, request("GET", "/x?a=1&t=abc&b=2"), "abc", false, "/x?a=1&b=2"},
		"RFC 6750's":       {Source{SourceQuery, QueryBearer}, request("GET", "/x?access_token=abc"), "abc", false, "/x"},
		"two parameters":   {query, request("GET", "/x?t=abc&access_token=d"), "", true, "/x"},
		"escaped":          {query, request("GET", "/x?t=abc&%74=d&%zz=1"), "", true, "/x?%zz=1"},
		"escaped, PHP's":   {query, request("GET", "/x?t=abc&+t=d"), "", true, "/x"},
		"two in query":     {query, request("GET", "/x?t=abc&t=abc"), "", true, "/x"},
		"PHP's name":       {query, request("GET", "/x?t=abc&t[]=d"), "", true, "/x"},
		"after semicolon":  {query, request("GET", "/x?t=abc&a=1;t=d"), "", true, "/x"},
		"bearer too":       {query, request("GET", "/x?t=abc", "Authorization", "Bearer d"), "", true, "/x"},
		"access_token":     {Source{}, request("GET", "/x?access_token=abc"), "", true, "/x"},
		"hidden bearer":    {Source{}, request("GET", "/x", "Authorization", "Basic x Bearer\xa0d"), "", true, "/x"},
		"two bearers":      {Source{}, request("GET", "/x", "Authorization", "Bearer a, Bearer b"), "", true, "/x"},
		"bearer, other":    {Source{}, request("GET", "/x", "Authorization", "Bearer a, Basic b"), "", true, "/x"},
		"tab":              {Source{}, request("GET", "/x", "Authorization", "Bearer\tabc"), "\tabc", false, "/x"},
		"only the scheme":  {Source{}, request("GET", "/x", "Authorization", "Bearer"), "", false, "/x"},
		"cookie":           {cookie, request("GET", "/x", "Cookie", "a=1; t=abc; b=2"), "abc", false, "/x a=1; b=2"},
		"only the cookie":  {cookie, request("GET", "/x", "Cookie", "t=abc"), "abc", false, "/x"},
		"two cookies":      {cookie, request("GET", "/x", "Cookie", "t=abc", "Cookie", "t=d"), "", true, "/x"},
		"header":           {header, request("GET", "/x", "X-Token", "abc"), "abc", false, "/x"},
		"header's look":    {header, request("GET", "/x", "X-Token", "abc", "X_TOKEN", "d"), "", true, "/x"},
		"list in a header": {header, request("GET", "/x", "X-Token", "abc, d"), "", true, "/x"},
		"nothing":          {header, request("GET", "/x", "Cookie", "a=1"), "", false, "/x a=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := NewCredentials(test.source, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := test.request
			token, err := c.Take(r)
			if token != test.token || errors.Is(err, ErrTwoTokens) != test.two || (err != nil) != test.two {
				t.Errorf("%q, %v", token, err)
			}
			left := r.URL.RequestURI()
			for _, line := range r.Header["Cookie"] {
				left += " " + line
			}
			if left != test.left || r.Header["Authorization"] != nil || r.Header["X-Token"] != nil {
				t.Errorf("left: %q, %v", left, r.Header)
			}
		})
	}
}

// TestEditOriginal: the original query that a server keeps is edited too.
func TestEditOriginal(t *testing.T) {
	t.Parallel()
	kept := "t=abc&a=1"
	c, err := NewCredentials(Source{SourceQuery, "t"}, false, func(_ *http.Request, edit func(string) string) { kept = edit(kept) })
	if err != nil {
		t.Fatal(err)
	}
	if token, err := c.Take(request("GET", "/x?t=abc&a=1")); token != "abc" || err != nil || kept != "a=1" {
		t.Errorf("%q, %v, original %q", token, err, kept)
	}
}

func TestTooEarly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request *http.Request
		tls     *tls.ConnectionState
		want    bool
	}{
		"Early-Data":   {request: request("POST", "/x", "Early-Data", "0"), want: true},
		"no TLS":       {request: request("POST", "/x")},
		"in handshake": {request: request("POST", "/x"), tls: &tls.ConnectionState{}, want: true},
		"after it":     {request: request("POST", "/x"), tls: &tls.ConnectionState{HandshakeComplete: true}},
		"from a proxy": {request: request("POST", "/x", "Early-Data", "1"), tls: &tls.ConnectionState{HandshakeComplete: true}, want: true},
	} {
		if test.request.TLS = test.tls; TooEarly(test.request) != test.want {
			t.Errorf("%s: TooEarly is %t", name, !test.want)
		}
	}
}

func TestIsPreflight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request *http.Request
		want    bool
	}{
		"preflight":   {request("OPTIONS", "/x", "Origin", "https://a", "Access-Control-Request-Method", "PUT"), true},
		"no method":   {request("OPTIONS", "/x", "Origin", "https://a"), false},
		"no origin":   {request("OPTIONS", "/x", "Access-Control-Request-Method", "PUT"), false},
		"not OPTIONS": {request("GET", "/x", "Origin", "https://a", "Access-Control-Request-Method", "PUT"), false},
	} {
		if IsPreflight(test.request) != test.want {
			t.Errorf("%s: IsPreflight is %t", name, !test.want)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	e := newEdge(b, Source{}, false)
	header := request("GET", "/", "Authorization", "Bearer abc", "User-Agent", "x", "Accept", "*/*", "Accept-Encoding", "gzip", "Referer", "https://servicewechat.com/wx/1/page-frame.html",
		"Content-Type", "application/json", "X-Request-Id", "1", "X-Forwarded-For", "1", "X-Real-Ip", "1").Header
	r := request("GET", "/orders/1")
	b.ReportAllocs()
	for b.Loop() {
		maps.Copy(r.Header, header)
		if _, err := e.Receive(r); err != nil {
			b.Fatal(err)
		}
	}
}
