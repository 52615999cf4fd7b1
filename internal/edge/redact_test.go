package edge

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestRedact: no value that tells who is calling is left in what Caddy may log,
// wherever in a header or the URI it stands.
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
		e.Redact(r, who, nil)
		if got := r.Header.Get("X-Caller"); (got == redacted[0]) != secret {
			t.Errorf("%q: the header is %q", text, got)
		}
		if (r.RequestURI == redacted[0]) != secret || (r.URL.Path == redacted[0]) != secret {
			t.Errorf("%q: the URI is %q and %q", text, r.RequestURI, r.URL)
		}
	}
}
