package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/envelope"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// DefaultPrefix is the path of the login in backends of old mini programs.
const DefaultPrefix = "/v1.0/pub"

// KeySetPath is the path where JWT libraries expect the public keys.
const KeySetPath = "/.well-known/jwks.json"

// endpoint is one call of the login API.
type endpoint struct {
	name      string // the metrics' label
	method    string
	also      string // a second method; "" for none
	serve     func(*Gateway, *call) error
	stateless bool // works while the store cannot be opened
	enveloped bool // responds in the site's envelope, if it has one
	page      bool // a browser opens it as a page, and its errors are pages
}

// call is one request to the login API, with the opened state behind it.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	runtime *Runtime
	bearer  bearer

	envelope *envelope.Envelope // nil for none
}

// CheckPrefix returns an error if the login API cannot be at a prefix.
func CheckPrefix(prefix string) error {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix != "" && !edge.CanonicalPath(prefix) || strings.ContainsAny(prefix, "*%") {
		return fmt.Errorf("prefix %q must be a plain path such as %s", prefix, DefaultPrefix)
	}
	return nil
}

// newEndpoints returns the API under its prefix, by path.
func newEndpoints(prefix string) (map[string]endpoint, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, err
	}
	prefix = strings.TrimSuffix(prefix, "/")
	return map[string]endpoint{
		prefix + "/openId":   {name: "login", method: http.MethodPost, serve: (*Gateway).serveLogin, enveloped: true},
		prefix + "/decode":   {name: "decode", method: http.MethodPost, serve: (*Gateway).serveDecode, enveloped: true},
		prefix + "/userInfo": {name: "user_info", method: http.MethodPost, serve: (*Gateway).serveUserInfo, enveloped: true},
		prefix + "/refresh":  {name: "refresh", method: http.MethodPost, serve: (*Gateway).serveRefresh, enveloped: true},
		prefix + "/logout":   {name: "logout", method: http.MethodPost, serve: (*Gateway).serveLogout, enveloped: true},
		prefix + "/revoke":   {name: "revoke", method: http.MethodPost, serve: (*Gateway).serveRevoke},
		prefix + "/session":  {name: "session", method: http.MethodGet, serve: (*Gateway).serveSession, enveloped: true},
		prefix + "/live":     {name: "live", method: http.MethodGet, serve: (*Gateway).serveLive, stateless: true},
		prefix + "/ready":    {name: "ready", method: http.MethodGet, serve: (*Gateway).serveReady},
		KeySetPath:           {name: "jwks", method: http.MethodGet, serve: (*Gateway).serveJWKS},
	}, nil
}

// serveEndpoint responds to a call. It never calls the next handler.
func (g *Gateway) serveEndpoint(w http.ResponseWriter, r *http.Request, e endpoint, b bearer) error {
	g.Server.SetIdentity(r, nil)
	c := &call{w: w, r: r, bearer: b}
	if e.enveloped && b.wafer == nil { // the Wafer SDKs expect another shape
		c.envelope = g.config.Envelope
	}
	err := g.forWafer(g.runEndpoint(c, e), c.r, b, e.name == waferLoginCall)
	outcome := metrics.OK
	if err != nil {
		p := problem.Of(err)
		outcome = p.Code
		g.log("request refused", p, r)
		err = g.refuseCall(c, e, p)
	}
	metrics.Calls.WithLabelValues(e.name, outcome).Inc()
	return err
}

// refuseCall responds with a problem, in the envelope of the call if it has one.
func (g *Gateway) refuseCall(c *call, e endpoint, p *problem.Problem) error {
	if e.page {
		return g.showProblem(c, p)
	}
	if c.envelope == nil {
		return g.writeProblem(c.w, c.r, p)
	}
	g.Server.LogCode(c.r, p.Code)
	return c.envelope.WriteProblem(c.w, p.For(c.r), g.Server.RequestID(c.r))
}

func (e endpoint) accepts(method string) bool {
	// A page spends the code or the ticket in its URL, and HEAD must not do this.
	return method == e.method || e.also != "" && method == e.also || !e.page && e.method == http.MethodGet && method == http.MethodHead
}

func (e endpoint) methods() string {
	if e.also == "" {
		return e.method
	}
	return e.also + ", " + e.method
}

func (g *Gateway) runEndpoint(c *call, e endpoint) error {
	if !e.accepts(c.r.Method) {
		methods := e.methods()
		c.w.Header().Set("Allow", methods)
		return problem.MethodNotAllowed("Use %s.", methods)
	}
	if (e.method == http.MethodPost || c.r.Method == http.MethodPost || e.page) && edge.TooEarly(c.r) {
		return tooEarly()
	}
	if e.stateless {
		return e.serve(g, c)
	}
	var err error
	if c.runtime, err = g.Acquire(); err != nil {
		return err
	}
	defer c.runtime.Release()
	return e.serve(g, c)
}

func tooEarly() error {
	p := problem.BadRequest("Send this again after the TLS handshake: early data can be replayed.")
	p.Status = http.StatusTooEarly
	return p
}

// record audits an action of a client. The identity is nil if it is not known.
func (g *Gateway) record(c *call, e audit.Event, id *auth.Identity, err error) {
	e.By, e.Address, e.Request = audit.Client, g.Server.ClientIP(c.r), g.Server.RequestID(c.r)
	var user auth.User
	if id != nil {
		user, e.Session = id.User, id.Session
	}
	c.runtime.Record(e, user, err)
}

// identity returns the identity of the call's token. From here on, the access log contains the
// user, even if the call is refused.
func (g *Gateway) identity(c *call) (*auth.Identity, error) {
	id, err := g.authenticate(c.r.Context(), c.runtime, c.bearer)
	if id != nil {
		g.Server.NameUser(c.r, id)
	}
	return id, err
}

const tokenTypeBearer = "Bearer"

// accessToken has the members of every response with an access token (RFC 6749 section 5.1).
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// tokenPair adds the refresh token.
type tokenPair struct {
	accessToken
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // seconds
}

func newAccessToken(g *auth.Grant) accessToken {
	return accessToken{AccessToken: g.AccessToken, TokenType: tokenTypeBearer, ExpiresIn: seconds(g.AccessExpires.Sub(g.Identity.IssuedAt))}
}

func newTokenPair(g *auth.Grant) tokenPair {
	return tokenPair{newAccessToken(g), g.RefreshToken, seconds(g.RefreshExpires.Sub(g.Identity.IssuedAt))}
}

// seconds returns a remaining lifetime in whole seconds, like OAuth.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// respond responds with v, in the envelope of the call if it has one.
func (c *call) respond(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.respondBytes(body)
}

// respondBytes is like respond, for a JSON document.
func (c *call) respondBytes(body []byte) error {
	return writeBytes(c.w, http.StatusOK, c.envelope.Wrap(body))
}

// WriteJSON responds with v. No cache may keep a response of the login API
// (RFC 6749 section 5.1).
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBytes(w, status, body)
}

// writeBytes responds with a JSON document.
func writeBytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
