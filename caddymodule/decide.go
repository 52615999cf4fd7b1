package caddymodule

import (
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// decision lets a request pass, with an identity or as anonymous.
type decision struct {
	runtime   *runtime       // nil without an identity
	id        *auth.Identity // nil for an anonymous request
	assertion string         // the identity signed for the upstream; "" unless configured
}

// release gives back the opened state that a decision was made with.
func (d decision) release() {
	if d.runtime != nil {
		d.runtime.release()
	}
}

// decide returns a decision, which the caller releases, or the refusal. The identity
// that comes with a refusal is only for the log: its token is valid and it may not
// enter.
func (g *guard) decide(in received) (decision, error) {
	if in.PathErr != nil {
		return decision{}, in.PathErr
	}
	if g.anonymous(in) {
		return decision{}, nil
	}
	runtime, err := g.app.acquire()
	if err != nil {
		return decision{}, err
	}
	d := decision{runtime: runtime}
	if d.id, err = g.authenticate(runtime, in.bearer); err != nil {
		return d, err
	}
	for _, r := range g.require {
		if err := r.check(d.id, in.Path); err != nil {
			return d, err
		}
	}
	if names := g.edge.Headers.Names(); names.Assertion != "" {
		d.assertion, err = runtime.tokens.IssueAssertion(d.id, names.AssertionAudience)
	}
	return d, err
}

// anonymous reports whether a request may pass without an identity. A path that
// requires something of one is never public: of two rules that disagree, the
// stricter holds.
func (g *guard) anonymous(in received) bool {
	for _, r := range g.require {
		if r.paths.Match(in.Path) {
			return false
		}
	}
	return g.public.Match(in.Path.Plain) || !in.bearer.sent() && g.optional.Match(in.Path.Plain)
}

// authenticate returns the identity of a token whose user may enter this site. The
// identity that comes with an error is only for the log: its token is valid and it
// may not enter.
func (g *guard) authenticate(runtime *runtime, b bearer) (*auth.Identity, error) {
	switch {
	case b.err != nil:
		return nil, b.err
	case b.raw == "":
		return nil, auth.ErrMissingToken
	}
	id, err := runtime.service.Authenticate(b.raw)
	if err != nil {
		return nil, err
	}
	if err := g.fresh(runtime); err != nil {
		return id, err
	}
	if err := b.wafer.check(id); err != nil {
		return id, err
	}
	if !g.admits(id.App) {
		return id, fmt.Errorf("%w: a token of app %q, which this site does not admit", auth.ErrAppNotAdmitted, id.App)
	}
	return id, nil
}

// admits reports whether an app's users may enter this site.
func (g *guard) admits(app auth.AppID) bool {
	_, ok := g.admitted[app]
	return ok
}
