package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/prefetch"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// prefetchTokenEndpoint is POST {prefix}/prefetch-token.
var prefetchTokenEndpoint = endpoint{name: "prefetch_token", method: http.MethodPost, serve: (*Gateway).servePrefetchToken}

type prefetchTokenResponse struct {
	Token string `json:"prefetch_token"`
}

func (g *Gateway) servePrefetchToken(c *call) error {
	id, err := g.bearerOnly(c)
	if err != nil {
		return err
	}
	token, err := c.runtime.Service.PrefetchToken(id)
	if err != nil {
		return err
	}
	return c.respond(prefetchTokenResponse{token})
}

// servePrefetch passes a prefetch to the next handler, and its response to WeChat once it is
// complete.
func (g *Gateway) servePrefetch(w http.ResponseWriter, r *http.Request, next Next, in received, p *prefetch.Detached) error {
	d, err := g.decidePrefetch(r, in, p)
	defer d.release()
	if err != nil {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
		}
		return g.refusePrefetch(w, r, p, d.id, err)
	}
	leave, err := g.enterPrefetch()
	if err != nil {
		return g.refusePrefetch(w, r, p, d.id, err)
	}
	defer leave()
	g.send(r, r.Header, d)
	delete(r.Header, "Accept-Encoding") // WeChat's limit is on the text
	redactor := g.Edge.Redactor(d.id)
	response, limited, end := prefetch.NewResponse(r.WithContext(redactor.WithRedactor(r.Context())))
	defer end()
	err = response.Serve(func(w http.ResponseWriter) error { return next.ServeHTTP(w, limited) })
	switch {
	case errors.Is(err, auth.ErrResponseTooLarge):
		return g.refusePrefetch(w, r, p, d.id, err)
	case err != nil:
		metrics.Prefetches.WithLabelValues(p.By(), metrics.UpstreamFailed).Inc()
		return g.failed(r, d.id, err)
	}
	if err := d.runtime.Service.PrefetchEnded(d.id); err != nil { // while the upstream worked
		return g.refusePrefetch(w, r, p, d.id, err)
	}
	metrics.Prefetches.WithLabelValues(p.By(), metrics.OK).Inc()
	return response.Send(w)
}

// enterPrefetch counts a prefetch until the caller calls leave: a user could otherwise fill
// the memory with responses that wait for their end.
func (g *Gateway) enterPrefetch() (leave func(), err error) {
	select {
	case g.prefetches <- struct{}{}:
		return func() { <-g.prefetches }, nil
	default:
		p := problem.Of(fmt.Errorf("%w: %d prefetches are running", auth.ErrRateLimited, prefetch.MaxConcurrent))
		p.RetryAfter = prefetch.RetryAfter
		return nil, p
	}
}

func (g *Gateway) refusePrefetch(w http.ResponseWriter, r *http.Request, p *prefetch.Detached, id *auth.Identity, err error) error {
	metrics.Prefetches.WithLabelValues(p.By(), metrics.Outcome(err)).Inc()
	g.Edge.Forget(r)
	return g.refuse(w, r, id, err)
}

// decidePrefetch is like decide, for a prefetch, whose credential is not an access token.
func (g *Gateway) decidePrefetch(r *http.Request, in received, p *prefetch.Detached) (decision, error) {
	if err := checkPrefetch(r, in, p); err != nil {
		return decision{}, err
	}
	rt, err := g.Acquire()
	if err != nil {
		return decision{}, err
	}
	d := decision{runtime: rt}
	client, ok := rt.Platforms[p.App]
	// WeChat fetches data for mini programs only. A code of a web page, which its URL may leak,
	// would otherwise identify a user without the browser that began the login.
	if !ok || !g.admits(p.App) || client.Platform() != wechat.WeChat || client.Kind() != "" {
		return d, fmt.Errorf("%w: a prefetch of an app that this site does not admit, or that is not a mini program of WeChat", auth.ErrUnknownApp)
	}
	if p.Token != "" {
		d.id, err = rt.Service.PrefetchByToken(r.Context(), p.App, p.Token)
	} else {
		d.id, err = g.spendPrefetchCode(r, rt, p)
	}
	if err != nil {
		return decision{runtime: rt}, err
	}
	d.id.Pseudonym = rt.Tokens.Pseudonym(d.id.User)
	if err := g.fresh(rt); err != nil {
		return d, err
	}
	edge.DropMethodOverrides(r)
	return g.complete(d, in.Path)
}

// checkPrefetchConfig refuses a path that the login API has, and access tokens in a
// parameter of WeChat's: at the path, the two could not be distinguished.
func (g *Gateway) checkPrefetchConfig() error {
	if g.config.Prefetch == "" {
		return nil
	}
	if source := g.Edge.Credentials.Source(); source.Kind == edge.SourceQuery && prefetch.IsParameter(source.Name) {
		return fmt.Errorf("prefetch: token_from query %s is a parameter of prefetches; use another name", source.Name)
	}
	path, prefix := string(g.config.Prefetch), strings.TrimSuffix(g.config.Prefix, "/")
	below := prefix != "" && strings.HasPrefix(strings.ToLower(path)+"/", strings.ToLower(prefix)+"/")
	if _, call := g.endpoints[path]; call || below {
		return fmt.Errorf("prefetch: path %q belongs to the login API; use another", path)
	}
	return nil
}

// checkPrefetch refuses requests that WeChat never sends.
func checkPrefetch(r *http.Request, in received, p *prefetch.Detached) error {
	switch {
	case r.Method != http.MethodGet:
		return problem.MethodNotAllowed("Use %s.", http.MethodGet)
	case in.PathErr != nil:
		return in.PathErr
	case edge.TooEarly(r): // an attacker could replay the request, and spend the code first
		return tooEarly()
	case in.bearer.sent():
		return edge.ErrTwoTokens
	case r.Header["Upgrade"] != nil || r.ContentLength != 0:
		return problem.BadRequest("A prefetch has no body and no Upgrade header.")
	}
	return p.Err
}

// spendPrefetchCode exchanges a code, which only WeChat's servers send. They have few
// addresses, so the limit per address does not apply: it would refuse the users of a whole
// city.
func (g *Gateway) spendPrefetchCode(r *http.Request, rt *Runtime, p *prefetch.Detached) (*auth.Identity, error) {
	if err := checkAddress(r.Context(), rt.Platforms[p.App], g.Server.ClientIP(r)); err != nil {
		return nil, err
	}
	leave, err := g.config.Limits.Enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	id, err := rt.Service.PrefetchByCode(r.Context(), p.App, p.Code)
	return id, rt.OfApp(p.App, err)
}

// checkAddress refuses a code from an address that is not WeChat's, if WeChat's addresses are
// known. A client could otherwise try codes without the limit on logins.
func checkAddress(ctx context.Context, platform *wechat.Client, client string) error {
	addr, err := netip.ParseAddr(client)
	if known, ours := platform.IsCallbackAddress(ctx, addr); err == nil && (ours || !known) {
		return nil
	}
	return problem.Forbidden("A prefetch with a code must come from one of WeChat's addresses.")
}
