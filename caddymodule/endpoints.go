package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// defaultPrefix is where hand-made backends of old mini programs had their login.
const defaultPrefix = "/v1.0/pub"

// jwksPath is where JWT libraries look for the public keys.
const jwksPath = "/.well-known/jwks.json"

// endpoint is one call of the login API.
type endpoint struct {
	name      string // the metrics' label
	method    string
	also      string // a second method; "" for none
	serve     func(*Handler, *call) error
	stateless bool // answers also while the store cannot be opened
}

// bearer is the access token that a request brought, or why it brought none.
type bearer struct {
	raw   string
	err   error
	wafer *waferHeaders // nil unless the request has some of them
}

// sent reports whether the request brought anything that should be a token.
func (b bearer) sent() bool { return b.raw != "" || b.err != nil }

// call is one request to the login API, with the opened state behind it.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	runtime *runtime
	bearer  bearer
}

// newEndpoints lays out the API under its prefix.
func newEndpoints(prefix string) (map[string]endpoint, error) {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix != "" && !edge.CanonicalPath(prefix) || strings.ContainsAny(prefix, "*%") {
		return nil, fmt.Errorf("prefix %q must be a plain path such as %s", prefix, defaultPrefix)
	}
	return map[string]endpoint{
		prefix + "/openId":   {name: "login", method: http.MethodPost, serve: (*Handler).serveLogin},
		prefix + "/decode":   {name: "decode", method: http.MethodPost, serve: (*Handler).serveDecode},
		prefix + "/userInfo": {name: "user_info", method: http.MethodPost, serve: (*Handler).serveUserInfo},
		prefix + "/refresh":  {name: "refresh", method: http.MethodPost, serve: (*Handler).serveRefresh},
		prefix + "/logout":   {name: "logout", method: http.MethodPost, serve: (*Handler).serveLogout},
		prefix + "/revoke":   {name: "revoke", method: http.MethodPost, serve: (*Handler).serveRevoke},
		prefix + "/session":  {name: "session", method: http.MethodGet, serve: (*Handler).serveSession},
		prefix + "/live":     {name: "live", method: http.MethodGet, serve: (*Handler).serveLive, stateless: true},
		prefix + "/ready":    {name: "ready", method: http.MethodGet, serve: (*Handler).serveReady},
		jwksPath:             {name: "jwks", method: http.MethodGet, serve: (*Handler).serveJWKS},
	}, nil
}

// serveEndpoint answers a call itself; nothing of it reaches the next handler.
func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request, e endpoint, b bearer) error {
	setPlaceholders(r, nil)
	err := h.Wafer.forWafer(h.runEndpoint(&call{w: w, r: r, bearer: b}, e), b, e.name == waferLoginCall)
	outcome := outcomeOK
	if err != nil {
		p := problem.Of(err)
		outcome = p.Code
		h.log(p, r)
		err = writeProblem(w, r, p)
	}
	metrics.calls.WithLabelValues(e.name, outcome).Inc()
	return err
}

func (e endpoint) takes(method string) bool {
	return method == e.method || e.also != "" && method == e.also || e.method == http.MethodGet && method == http.MethodHead
}

func (e endpoint) methods() string {
	if e.also == "" {
		return e.method
	}
	return e.also + ", " + e.method
}

func (h *Handler) runEndpoint(c *call, e endpoint) error {
	if !e.takes(c.r.Method) {
		methods := e.methods()
		c.w.Header().Set("Allow", methods)
		return problem.MethodNotAllowed("Use " + methods + ".")
	}
	if e.method == http.MethodPost && edge.TooEarly(c.r) {
		p := problem.BadRequest("Send this again after the TLS handshake: early data can be replayed.")
		p.Status = http.StatusTooEarly
		return p
	}
	if e.stateless {
		return e.serve(h, c)
	}
	var err error
	if c.runtime, err = h.app.acquire(); err != nil {
		return err
	}
	defer c.runtime.release()
	return e.serve(h, c)
}

// identity returns the identity of the call's token. The access log names the user
// from here on, whether the call is then refused or not.
func (h *Handler) identity(c *call) (*auth.Identity, error) {
	id, err := h.authenticate(c.runtime, c.bearer)
	if id != nil {
		nameUser(c.r, id)
	}
	return id, err
}
