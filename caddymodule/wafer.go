package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// WaferCompat serves mini programs built on the client SDKs of Tencent Wafer,
// `wafer-client-sdk` and `wafer2-client-sdk`, whose own server is abandoned.
//
// Their login has a path of its own, and their access token, which they call a
// skey, comes as X-WX-Skey on every guarded path. No X-WX header of a client
// reaches the upstream, these included.
type WaferCompat struct {
	// Where they log in: the path of the client's `setLoginUrl`. Default
	// `<prefix>/login`.
	Login string `json:"login,omitempty"`
}

// The headers that the SDKs send, as net/http spells them.
const (
	waferCode = "X-Wx-Code"
	waferData = "X-Wx-Encrypted-Data"
	waferIV   = "X-Wx-Iv"
	waferID   = "X-Wx-Id"
	waferSkey = "X-Wx-Skey"
)

// waferHeaders is what a request brought in the SDKs' headers.
type waferHeaders struct {
	code, data, iv string // of a login
	id, skey       string // of any other call
	err            error  // one of them stood twice
}

// path is where the SDKs log in.
func (c *WaferCompat) path(prefix string) string {
	if c.Login == "" {
		return strings.TrimSuffix(prefix, "/") + "/login"
	}
	return c.Login
}

// checkWaferLogin is for a path that an operator wrote.
func checkWaferLogin(path string) error {
	if !edge.CanonicalPath(path) || path == "/" || strings.ContainsAny(path, "*%") {
		return fmt.Errorf("compat wafer %q must be a plain path such as /weapp/login", path)
	}
	return nil
}

// addTo gives the SDKs their login among the endpoints; nil adds nothing.
func (c *WaferCompat) addTo(endpoints map[string]endpoint, prefix string) error {
	if c == nil {
		return nil
	}
	path := c.path(prefix)
	if err := checkWaferLogin(path); err != nil {
		return err
	}
	if e, taken := endpoints[path]; taken {
		return fmt.Errorf("compat wafer: %s is already the call %s", path, e.name)
	}
	endpoints[path] = endpoint{name: waferLoginCall, method: http.MethodPost, also: http.MethodGet, serve: (*Handler).serveWaferLogin}
	return nil
}

// take reads the SDKs' headers and removes them; nil when there are none, or
// when the site does not serve the SDKs. Only the one spelling that they send is
// read: what else a framework would take for it is left to be stripped.
func (c *WaferCompat) take(header http.Header) *waferHeaders {
	if c == nil {
		return nil
	}
	var taken *waferHeaders
	for _, name := range [...]string{waferCode, waferData, waferIV, waferID, waferSkey} {
		values, ok := header[name]
		if !ok {
			continue
		}
		delete(header, name)
		if taken == nil {
			taken = new(waferHeaders)
		}
		if len(values) != 1 {
			taken.err = problem.BadRequest("Send each X-WX header once.")
			continue
		}
		taken.set(name, values[0])
	}
	return taken
}

func (w *waferHeaders) set(name, value string) {
	switch name {
	case waferCode:
		w.code = value
	case waferData:
		w.data = value
	case waferIV:
		w.iv = value
	case waferID:
		w.id = value
	case waferSkey:
		w.skey = value
	}
}

// join adds the skey to what the request brought as a token elsewhere. Two of
// them are refused, as two Bearer tokens are: otherwise the gateway would check
// one and whoever is behind it believe the other.
func (w *waferHeaders) join(b bearer, query string) bearer {
	b.wafer = w
	switch {
	case w == nil || b.err != nil:
	case w.err != nil:
		b.raw, b.err = "", w.err
	case w.skey == "":
	case b.raw != "", edge.HasQueryParameter(query, edge.QueryBearer), strings.ContainsAny(w.skey, ", "):
		b.raw, b.err = "", edge.ErrTwoTokens
	default:
		b.raw = w.skey
	}
	return b
}

// check refuses a skey that comes with the id of another session: wafer-client-sdk
// keeps both, and a mixture of two logins is nobody's.
func (w *waferHeaders) check(id *auth.Identity) error {
	if w != nil && w.skey != "" && w.id != "" && w.id != string(id.Session) {
		return fmt.Errorf("%w: X-WX-Id names another session than X-WX-Skey", auth.ErrInvalidToken)
	}
	return nil
}
