package edge

import (
	"strings"
	"testing"
)

// TestNewHeadersRefuses tests names that would drop a part of the identity, or that are used
// twice.
func TestNewHeadersRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		names Names
		want  string
	}{
		"not a name":         {Names{OpenID: "X User"}, `header name "X User": use letters, digits and hyphens`},
		"underscore":         {Names{OpenID: "X_User"}, "use letters, digits and hyphens"},
		"used by HTTP":       {Names{Phone: "Authorization"}, "cannot carry an identity"},
		"used by the proxy":  {Names{Phone: "X-FORWARDED-FOR"}, "cannot carry an identity"},
		"twice":              {Names{OpenID: "X-User", Phone: "x-user"}, `header name "x-user" is used twice`},
		"another's default":  {Names{Phone: "X-Wx-Openid"}, "is used twice"},
		"no audience":        {Names{Assertion: "X-Proof"}, "a name and an audience"},
		"no assertion":       {Names{AssertionAudience: "a"}, "a name and an audience"},
		"invalid assertion":  {Names{Assertion: "Via", AssertionAudience: "a"}, "cannot carry an identity"},
		"invalid appid":      {Names{AppID: "Host"}, "cannot carry an identity"},
		"invalid session":    {Names{Session: "Cookie"}, "cannot carry an identity"},
		"invalid unionid":    {Names{UnionID: "Te"}, "cannot carry an identity"},
		"source of a client": {Names{Source: "Forwarded"}, "cannot carry an identity"},
		"marks at the ends":  {Names{Phone: "-Host-"}, "cannot carry an identity"},
	} {
		if _, err := NewHeaders(test.names); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestNewHeadersCompletes(t *testing.T) {
	t.Parallel()
	h, err := NewHeaders(Names{OpenID: "x-user-id"})
	if err != nil {
		t.Fatal(err)
	}
	want := Names{OpenID: "X-User-Id", UnionID: "X-Wx-Unionid", AppID: "X-Wx-Appid", Source: "X-Wx-Source", Session: "X-Wx-Session"}
	if h.Names() != want {
		t.Errorf("%+v, want %+v", h.Names(), want)
	}
	for name, managed := range map[string]bool{
		"X-User-Id": true, "x_user_id": true, "X--User.Id-": true, "X-Wx-Openid": true, "X-Wx-Anything": true, "X-Wx": false, "X-User": false, "X-User-Id2": false, "": false,
	} {
		if h.Managed(name) != managed {
			t.Errorf("Managed(%q) is %t", name, !managed)
		}
	}
}

func TestFoldHeaderName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"X-AZ-az-09": "x-az-az-09", "__X__Y..": "x-y", "@[`{/:": "", "x\x80\xff": "x", "": "",
	} {
		if got := foldHeaderName(name); got != want {
			t.Errorf("%q is folded to %q, want %q", name, got, want)
		}
	}
}

func TestNewCredentials(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source, want Source
		err          string
	}{
		{Source{}, Source{SourceHeader, "Authorization"}, ""},
		{Source{Kind: SourceHeader}, Source{SourceHeader, "Authorization"}, ""},
		{Source{SourceHeader, "x-token"}, Source{SourceHeader, "X-Token"}, ""},
		{Source{SourceQuery, "ticket"}, Source{SourceQuery, "ticket"}, ""},
		{Source{SourceCookie, "sid"}, Source{SourceCookie, "sid"}, ""},
		{Source{SourceHeader, "x token"}, Source{}, `token_from header: "X token" is not a header name`},
		{Source{SourceQuery, ""}, Source{}, `token_from query: "" is not a name`},
		{Source{SourceCookie, "a b"}, Source{}, `token_from cookie: "a b" is not a name`},
		{Source{"body", "x"}, Source{}, `unrecognized token_from "body"; expected one of: header, query, cookie`},
	} {
		c, err := NewCredentials(test.source, false, nil)
		if test.err == "" && (err != nil || c.Source() != test.want) {
			t.Errorf("%+v: %+v, %v", test.source, c.Source(), err)
		}
		if test.err != "" && (err == nil || !strings.EqualFold(err.Error(), test.err)) {
			t.Errorf("%+v: %v, want %q", test.source, err, test.err)
		}
	}
}

func TestNewPathSetRefuses(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"health":       "must begin with a slash",
		"/a/*/b":       "a star may only be at the end",
		"/public*":     `write "/public" or "/public/*"`,
		"/a/../b":      "is not canonical",
		"/a%2fb":       "is not canonical",
		"/a;b":         "is not canonical",
		"/%zz":         "is not canonical",
		"/．．/admin":    "is not canonical",
		"/public/**":   "a star may only be at the end",
		"/a\\b":        "is not canonical",
		"/a%c0%ae":     "is not canonical",
		"/trailing./x": "is not canonical",
	} {
		if _, err := NewPathSet([]string{"/fine", pattern}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

// TestPathSets: sets that admit match exactly, and sets that refuse match leniently.
func TestPathSets(t *testing.T) {
	t.Parallel()
	set, err := NewPathSet([]string{"/health", "/shop/*", "/run.php", "/支付", "/À b", "/p"})
	if err != nil {
		t.Fatal(err)
	}
	if set.Empty() || !new(PathSet).Empty() {
		t.Error("Empty is wrong")
	}
	for path, want := range map[string]struct{ exact, lenient bool }{
		"/health":                                {true, true},
		"/health/":                               {false, true},
		"/HEALTH":                                {false, true},
		"/health.json":                           {false, true},
		"/health.tar.gz":                         {false, true},
		"/healthy":                               {false, false},
		"/health/more":                           {false, false},
		"/.health":                               {false, false},
		"/shop":                                  {false, true},
		"/shop/":                                 {true, true},
		"/shop/a/b":                              {true, true},
		"/Shop/a":                                {false, true},
		"/shop/x.wsgi/admin":                     {false, true},
		"/shop/v1.2/logo.png":                    {true, true},
		"/shop/cgi-bin/run/x":                    {false, true},
		"/run.php":                               {true, true},
		"/run.php/pay":                           {false, true},
		"/index.php/health":                      {false, true},
		"/a/cgi-bin/run/health":                  {false, true},
		"/cgi-bin/run":                           {false, false},
		"/cgi-bin//health":                       {false, true},
		"/.php/health":                           {false, true},
		"/v1.2/health":                           {false, false},
		"/v1.2a/health":                          {false, false},
		"/_next/data/build/health.json":          {false, true},
		"/docs/_next/data/b/x.json":              {false, false},
		"/支付":                                    {true, true},
		"/À b":                                   {true, true},
		"/p.json":                                {false, true},
		"/.p":                                    {false, false},
		"/ｈealth":                                {false, true},
		"/a.b/c.d/e.f/g.h/i.j/k.l/m.n/o.p/q.r/s": {false, true}, // too many programs
		"/":                                      {false, false},
	} {
		if set.Match(path) != want.exact {
			t.Errorf("Match(%s) is %t", path, !want.exact)
		}
		folded, ok := foldPath(path, maxPathBytes)
		if !ok {
			t.Fatal(path)
		}
		if set.Lenient().Match(Path{Plain: path, Folded: folded}) != want.lenient {
			t.Errorf("the lenient Match(%s) is %t", path, !want.lenient)
		}
	}
}

// TestLenientUnderBasePath tests a page of Next.js below a basePath.
func TestLenientUnderBasePath(t *testing.T) {
	t.Parallel()
	set, err := NewPathSet([]string{"/docs/pay"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/docs/_next/data/b/pay.json": true, "/docs/_next/data/b/x.json": false, "/docs/_next/data/b": false} {
		folded, _ := foldPath(path, maxPathBytes)
		if set.Lenient().Match(Path{path, folded}) != want {
			t.Errorf("Match(%s) is %t", path, !want)
		}
	}
}

// TestBelongsToAPI tests spellings of a path under the prefix.
func TestBelongsToAPI(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/v1.0/pub": true, "/v1.0/pub/": true, "/v1.0/pub/openId": true, "/V1.0/PUB/x": true,
		"/v1.0//pub/x": true, "/v1.0/./pub/x": true, "/a/../v1.0/pub/x": true, `/v1.0\pub\x`: true, "/v1.0;a=b/pub/x": true, "/v1.0/%70ub/x": true, "/v1.0/pub;x": true,
		"/v1.0/public": false, "/v1.0": false, "/v2.0/pub/x": false, "/x/v1.0/pub": false, "/": false, "/v1.0/%zz": false,
	} {
		r := asked(path)
		if belongsToAPI(r, "/v1.0/pub") != want {
			t.Errorf("%s: %t", path, !want)
		}
		if belongsToAPI(r, "") {
			t.Errorf("%s does not belong to the API", path)
		}
	}
}

// TestExtendedConnect: WebSocket over HTTP/2 and HTTP/3 is accepted, and no other tunnel.
func TestExtendedConnect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		major           int
		proto, protocol string
		refused         bool
	}{
		{1, "HTTP/1.1", "websocket", true},
		{2, "HTTP/2.0", "websocket", false},
		{2, "HTTP/2.0", "connect-udp", true},
		{2, "HTTP/2.0", "", true},
		{3, "websocket", "", false},
		{3, "connect-ip", "", true},
	} {
		r := request("CONNECT", "/socket")
		r.ProtoMajor, r.Proto = test.major, test.proto
		if test.protocol != "" {
			r.Header[":protocol"] = []string{test.protocol}
		}
		if p := refuseTunnels(r); (p != nil) != test.refused {
			t.Errorf("%+v: %v", test, p)
		}
	}
}
