package edge

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// nothing is a server that does not keep the original request.
func nothing(*http.Request) *http.Request { return nil }

// TestRedact: no value that identifies the caller is left in the headers and the URI, which
// Caddy may log.
func TestRedact(t *testing.T) {
	t.Parallel()
	who := &auth.Identity{
		User: auth.User{App: "wx1", OpenID: "the-openid"}, UnionID: "the-unionid", Session: "the-session", Phone: "+8610011112222",
	}
	e := &Edge{Headers: new(Headers)}
	for text, secret := range map[string]bool{
		"wx1/the-openid": true, "u=the-unionid;": true, "sid the-session": true, "tel:+8610011112222": true, "%2B8610011112222": true, "wx1": false, "": false,
	} {
		r := &http.Request{Header: http.Header{"X-Caller": {text}}, URL: &url.URL{Path: "/" + text}, RequestURI: "/" + text}
		e.Redact(r, who, nothing, true)
		if got := r.Header.Get("X-Caller"); (got == redacted[0]) != secret {
			t.Errorf("%q: the header is %q", text, got)
		}
		if (r.RequestURI == redacted[0]) != secret || (r.URL.Path == redacted[0]) != secret {
			t.Errorf("%q: the URI is %q and %q", text, r.RequestURI, r.URL)
		}
	}
}

// TestRedactURL: no part of a URL identifies the caller.
func TestRedactURL(t *testing.T) {
	t.Parallel()
	e := &Edge{Headers: new(Headers)}
	who := &auth.Identity{User: auth.User{App: "wx1", OpenID: "the-openid"}}
	for text, secret := range map[string]bool{
		"http://host/orders?a=1#b": false, "http://the-openid.host/": true, "/orders/the-openid": true, "/orders/%74he-openid": true,
		"/%2Fthe-openid": true, "/?u=the-openid": true, "/#the-openid": true, "mailto:the-openid": true, "http://the-openid@host/": true,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{URL: u}
		e.Redact(r, who, nothing, true)
		if (r.URL.Path == redacted[0]) != secret {
			t.Errorf("%s: the URL is %s", text, r.URL)
		}
	}
}

// TestRedactNamedHeaders: the headers of the identity and of the token are redacted, whatever
// their value is, and a forwarded token is redacted everywhere.
func TestRedactNamedHeaders(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{SourceHeader, "X-Token"}, true)
	came := request("GET", "/orders", "X-Token", "the-token")
	r := request("GET", "/orders?t=the-token", "X-Token", "another", "X-Wx-Openid", "another", "X-Wx-Appid", "wx1", "X-Phone", "1", "X-Copy", "a the-token b")
	shared := r.Header
	e.Redact(r, new(auth.Identity), func(*http.Request) *http.Request { return came }, true)
	for name, want := range map[string]string{"X-Token": redacted[0], "X-Wx-Openid": redacted[0], "X-Phone": redacted[0], "X-Copy": redacted[0], "X-Wx-Appid": "wx1"} {
		if got := r.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.RequestURI != redacted[0] || r.URL.String() != redacted[0] {
		t.Errorf("%s, %s", r.RequestURI, r.URL)
	}
	if shared["X-Copy"][0] != "a the-token b" || came.Header["X-Token"] == nil {
		t.Error("the request to the upstream was changed")
	}
}

// TestRedactQuery: a token of the query is removed from all URIs.
func TestRedactQuery(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{SourceQuery, "t"}, true)
	r := request("GET", "/orders?a=1&t=the-token")
	e.Redact(r, new(auth.Identity), nothing, true)
	if r.RequestURI != "/orders" {
		t.Errorf("%s", r.RequestURI)
	}
}

// TestRedactKeepsFew: if all is not set, only headers that reverse_proxy reads after the
// response arrived, and headers that distinguish requests, stay. An identity in them is
// redacted.
func TestRedactKeepsFew(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Source{Kind: SourceHeader, Name: "Authorization"}, false)
	r := request("GET", "/", "Connection", "Upgrade", "Upgrade", "websocket", "Accept-Encoding", "identity", "User-Agent", "of the-openid", "X-Wx-Appid", "wx1", "X-Wx-Openid", "the-openid", "X-Other", "x")
	sent := r.Header
	e.Redact(r, &auth.Identity{User: auth.User{App: "wx1", OpenID: "the-openid"}}, nothing, false)
	want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Accept-Encoding": {"identity"}, "User-Agent": redacted, "X-Wx-Appid": {"wx1"}}
	if !reflect.DeepEqual(r.Header, want) || len(sent) != 7 || sent["User-Agent"][0] != "of the-openid" {
		t.Errorf("%v, of %v; want %v", r.Header, sent, want)
	}
}
