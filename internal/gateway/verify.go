package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// Verifier decides for another proxy whether a request may pass. It is safe for
// concurrent use.
type Verifier struct {
	Guard    *Guard
	PathFrom PathFrom

	blinded sync.Once // logs the first request with an unknown path
}

// PathFrom is the source of the original path.
type PathFrom string

// The values of PathFrom.
const (
	PathFromForwarded PathFrom = "forwarded" // the header X-Forwarded-Uri, which Caddy and Traefik send
	PathFromOriginal  PathFrom = "original"  // the header X-Original-URI, which nginx is configured to send
	PathFromRequest   PathFrom = "request"   // the request itself, as with Envoy
)

// pathHeaders are the headers of each PathFrom.
var pathHeaders = map[PathFrom]string{
	PathFromForwarded: "X-Forwarded-Uri",
	PathFromOriginal:  "X-Original-Uri",
	PathFromRequest:   "",
}

// Valid reports whether the value is known.
func (p PathFrom) Valid() bool {
	_, ok := pathHeaders[p]
	return ok
}

// Header returns the header that has the path, or "" for the request itself.
func (p PathFrom) Header() string { return pathHeaders[p] }

// ServeHTTP responds to every request: 200 with the identity in the headers of the response,
// 200 without an identity for an anonymous request, or a refusal.
func (v *Verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	d, err := v.decide(r)
	defer d.release()
	header := w.Header()
	if err != nil {
		p := deny(err)
		if v.PathFrom == PathFromOriginal {
			v.copyProblem(header, r, p)
		}
		return v.Guard.refuse(w, r, d.id, p)
	}
	header.Set("Cache-Control", "no-store")
	v.Guard.send(r, header, d)
	w.WriteHeader(http.StatusOK)
	return nil
}

// decide decides on the request that the client made.
func (v *Verifier) decide(r *http.Request) (decision, error) {
	original, err := v.originalRequest(r)
	if err != nil {
		return decision{}, err
	}
	named, err := v.setMethod(r, original)
	if err != nil {
		return decision{}, err
	}
	in, err := v.Guard.receive(original)
	if err != nil {
		return decision{}, err
	}
	if in.bearer.cookies.Sent() && !named {
		in.bearer.origin = problem.Forbidden("The gateway cannot determine the original method, which a browser session requires.")
	}
	return v.Guard.decide(r.Context(), in)
}

// originalRequest returns the request that the client made, as far as it is relevant: its
// method, its URI, and the headers that the proxy passes on.
//
// Caddy passes the client's Upgrade header on, and so does nginx as configured in
// docs/verify.md. The client's method is in X-Forwarded-Method, or is the method of the proxy's
// request. A proxy that passes "Upgrade: h2c" on gives the client a tunnel to the upstream, in
// which the client can send "x-wx-openid: victim".
//
// A client can also send X-Forwarded-Uri, and some proxies forward it, so the header is used
// only if it comes from a proxy that Caddy trusts. If the decision needs the path and it is not
// known, the request is refused: with the path of the proxy's request instead, "require phone
// on /pay/*" would have no effect.
func (v *Verifier) originalRequest(r *http.Request) (*http.Request, error) {
	original := new(*r)
	if slices.Contains(r.Header["X-Forwarded-Method"], http.MethodTrace) {
		original.Method = http.MethodTrace
	}
	header := v.PathFrom.Header()
	if header == "" {
		return original, nil
	}
	trusted := v.Guard.Edge.Trusted(r)
	if values := r.Header[header]; trusted && len(values) > 0 {
		var err error
		original.URL, err = v.headerPath(r, values)
		return original, err
	}
	if !v.NeedsURI() {
		return original, nil
	}
	v.blinded.Do(func() {
		v.Guard.Logger.Error("wxgate_verify cannot determine the original URI: add the proxy to trusted_proxies, and have it send "+header+" or set path_from",
			zap.Bool("trusted_proxy", trusted), zap.String("path_from", string(v.PathFrom)))
	})
	return nil, problem.Forbidden("The gateway cannot determine the original URI.")
}

// methodHeaders contain the client's method: Caddy and Traefik send the first, and nginx is
// configured to send the second.
var methodHeaders = []string{"X-Forwarded-Method", "X-Original-Method"}

// setMethod sets the client's method, and reports whether it is known. Without this, a page of
// another site could send a POST with the user's cookie, which the gateway would treat as a
// GET.
func (v *Verifier) setMethod(r, original *http.Request) (named bool, err error) {
	if v.Guard.Browser == nil || !v.Guard.Edge.Trusted(r) {
		return false, nil
	}
	var methods []string
	for _, name := range methodHeaders {
		methods = append(methods, r.Header[name]...)
	}
	switch {
	case len(methods) == 0: // known only if the proxy repeats the client's request
		return v.PathFrom == PathFromRequest, nil
	case len(slices.Compact(slices.Sorted(slices.Values(methods)))) > 1:
		return false, problem.BadRequest("Two headers contain different methods.")
	}
	original.Method = methods[0]
	return true, nil
}

// NeedsURI reports whether the decision depends on the URI that the client requested.
func (v *Verifier) NeedsURI() bool {
	return v.Guard.Edge.ComparesPaths || v.Guard.Edge.Credentials.Source().Kind == edge.SourceQuery
}

// headerPath reads the path from its header. If another such header has a different path, a client
// wrote it: the request is refused, so that a client cannot choose which header is used.
func (v *Verifier) headerPath(r *http.Request, values []string) (*url.URL, error) {
	for _, name := range pathHeaders {
		if other := r.Header[name]; name != v.PathFrom.Header() && len(other) > 0 && other[0] != values[0] {
			return nil, problem.BadRequest("Two headers contain different paths.")
		}
	}
	u, err := url.ParseRequestURI(values[0])
	if err != nil || len(values) != 1 || u.Host != "" || u.Scheme != "" || u.Path == "" {
		return nil, problem.BadRequest("The original URI is not a valid path.")
	}
	return u, nil
}

// deny returns a problem with status 403 unless it is a 401 or a failure of the gateway: nginx
// supports no other refusals, and would respond with 500.
func deny(err error) *problem.Problem {
	p := *problem.Of(err) // some are shared
	if p.Status < http.StatusInternalServerError && p.Status != http.StatusUnauthorized {
		p.Status = http.StatusForbidden
	}
	return &p
}

// headerProblem is the header with the problem document of a refusal, for nginx, whose
// auth_request keeps a refusal's headers and drops its body.
const headerProblem = "X-Wxgate-Problem"

// copyProblem writes the problem document into [headerProblem].
func (v *Verifier) copyProblem(header http.Header, r *http.Request, p *problem.Problem) {
	if document, err := p.Document(v.Guard.Server.RequestID(r)); err == nil {
		header.Set(headerProblem, string(document))
	}
}
