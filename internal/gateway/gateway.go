// Package gateway is the HTTP gateway without Caddy: it serves the login API of a site, decides
// which other requests may pass, and ends responses when their session ends. The server that
// runs it provides a [Server].
package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/cors"
	"github.com/wxgate/wxgate/internal/gateway/envelope"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/gateway/metadata"
	"github.com/wxgate/wxgate/internal/gateway/prefetch"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// Config configures a [Gateway].
type Config struct {
	Guard  *Guard
	Prefix string // of the login API

	CORS         *cors.Policy       // nil for none
	Envelope     *envelope.Envelope // of the login API; nil for none
	Metadata     *metadata.Metadata // nil for none
	Prefetch     prefetch.Path      // the path where WeChat fetches data; "" for none
	Limits       *limit.Limits
	ForwardToken bool   // the upstream gets the token, which logs must not have
	WaferLogin   string // the path where the Wafer SDKs log in, if Guard reads their tokens

	Callbacks []*callback.Receiver // of the apps that have one
	RawKeys   map[auth.AppID]struct{}

	Access time.Duration // lifetime of an access token
	Grace  time.Duration // how long a response may outlive its session
}

// Gateway serves one site. It is safe for concurrent use.
type Gateway struct {
	*Guard

	config     Config
	endpoints  map[string]endpoint
	logins     map[auth.AppID]struct{} // the apps whose users log in with the login API
	prefetches chan struct{}           // running prefetches
}

// Next is the next handler.
type Next interface {
	ServeHTTP(w http.ResponseWriter, r *http.Request) error
}

// New checks the paths of the login API. It opens nothing.
func New(config Config) (*Gateway, error) {
	endpoints, err := newEndpoints(config.Prefix)
	if err != nil {
		return nil, err
	}
	g := &Gateway{Guard: config.Guard, config: config, endpoints: endpoints, logins: loginApps(config.Guard), prefetches: make(chan struct{}, prefetch.MaxConcurrent)}
	if len(config.Callbacks) > 0 {
		g.endpoints[strings.TrimSuffix(config.Prefix, "/")+"/callback"] = callbackEndpoint
	}
	if config.Prefetch != "" {
		g.endpoints[strings.TrimSuffix(config.Prefix, "/")+"/prefetch-token"] = prefetchTokenEndpoint
	}
	if config.Metadata != nil {
		g.endpoints[config.Metadata.Path] = metadataEndpoint
	}
	g.addBrowser()
	if config.Guard.Wafer {
		if err := g.addWafer(); err != nil {
			return nil, err
		}
	}
	return g, g.checkPrefetchConfig()
}

// ServeHTTP receives the request, decides, and sends it on. A call of the login API is served
// here and never reaches the next handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request, next Next) error {
	if detached := g.config.Prefetch.Detach(r); detached != nil {
		return g.Server.ServeAgain(w, detached, prefetch.WithoutCredential)
	}
	if detached := g.Browser.Detach(r); detached != nil {
		return g.Server.ServeAgain(w, detached, browser.WithoutCredentials)
	}
	in, err := g.receive(r)
	if err != nil {
		return g.refuse(w, r, nil, err)
	}
	w, responded := g.config.CORS.Handle(w, r)
	if responded {
		return nil
	}
	if e, ok := g.endpoint(r.URL.Path); ok && edge.CanonicalRequestPath(r) {
		return g.serveEndpoint(w, r, e, in.bearer)
	}
	if p := g.config.Prefetch.Of(r); p != nil {
		return g.servePrefetch(w, r, next, in, p)
	}
	d, err := g.decide(r.Context(), in)
	defer d.release()
	if g.needsLogin(r, in, err) {
		return g.toLogin(w, r, err)
	}
	if err != nil {
		return g.refuse(w, r, d.id, g.forWafer(err, r, in.bearer, false))
	}
	return g.pass(w, r, next, d)
}

// pass passes the request to the next handler.
func (g *Gateway) pass(w http.ResponseWriter, r *http.Request, next Next, d decision) error {
	g.send(r, r.Header, d)
	var err error
	switch {
	case d.id != nil:
		err = g.watched(d, w, r, next)
	case g.config.ForwardToken: // the token must not be logged
		redactor := g.Edge.Redactor(new(auth.Identity))
		err = next.ServeHTTP(w, r.WithContext(redactor.WithRedactor(r.Context())))
	default:
		err = next.ServeHTTP(w, r)
	}
	if err == nil {
		return nil
	}
	return g.failed(r, d.id, err)
}

// failed returns the error of the next handler to the error routes, which must not get the
// identity. It is nil for an anonymous request.
func (g *Gateway) failed(r *http.Request, id *auth.Identity, err error) error {
	g.Edge.Forget(r)
	g.Server.SetIdentity(r, nil)
	if id != nil {
		g.Server.NameUser(r, id) // the access log is written after the error routes
	}
	return err
}
