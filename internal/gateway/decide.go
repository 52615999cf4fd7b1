package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

// decision admits a request, with an identity or as anonymous.
type decision struct {
	runtime   *Runtime       // nil without an identity
	id        *auth.Identity // nil for an anonymous request
	assertion string         // the identity signed for the upstream; "" unless configured
}

// release releases the runtime that a decision was made with.
func (d decision) release() {
	if d.runtime != nil {
		d.runtime.Release()
	}
}

// decide returns a decision, which the caller must release, or the refusal. The identity that
// comes with a refusal is only for the log: its token is valid, but its user is not admitted.
func (g *Guard) decide(ctx context.Context, in received) (decision, error) {
	if in.PathErr != nil {
		return decision{}, in.PathErr
	}
	if g.anonymous(in) {
		return decision{}, nil
	}
	rt, err := g.Acquire()
	if err != nil {
		return decision{}, err
	}
	d := decision{runtime: rt}
	if d.id, err = g.authenticate(ctx, rt, in.bearer); err != nil {
		if g.passesWithout(in, err) {
			d.release()
			return decision{}, nil
		}
		return d, err
	}
	return g.complete(d, in.Path)
}

// complete checks the requirements of a path, and signs the assertion.
func (g *Guard) complete(d decision, path edge.Path) (decision, error) {
	for _, r := range g.Require {
		if err := r.check(d.id, path); err != nil {
			return d, err
		}
	}
	var err error
	if names := g.Edge.Headers.Names(); names.Assertion != "" {
		d.assertion, err = d.runtime.Tokens.IssueAssertion(d.id, names.AssertionAudience)
	}
	return d, err
}

// anonymous reports whether a request may pass without an identity. A path with a requirement
// is never public: if two rules conflict, the stricter rule applies.
func (g *Guard) anonymous(in received) bool {
	return !g.requires(in.Path) && (g.Public.Match(in.Path.Plain) || !in.bearer.credential() && g.Optional.Match(in.Path.Plain))
}

// requires reports whether a path has a requirement.
func (g *Guard) requires(path edge.Path) bool {
	return slices.ContainsFunc(g.Require, func(r Requirement) bool { return r.Paths.Match(path) })
}

// authenticate returns the identity of a token whose user this site admits. The identity that
// comes with an error is only for the log: its token is valid, but its user is not admitted.
func (g *Guard) authenticate(ctx context.Context, rt *Runtime, b bearer) (*auth.Identity, error) {
	if b.cookies.Sent() {
		return g.authenticateBrowser(ctx, rt, b)
	}
	switch {
	case b.err != nil:
		return nil, b.err
	case b.raw == "":
		return nil, auth.ErrMissingToken
	}
	id, err := rt.Service.Authenticate(b.raw)
	if err != nil {
		return nil, err
	}
	if err := b.wafer.Check(id); err != nil {
		return id, err
	}
	return id, g.enters(rt, id)
}

// enters refuses a valid identity whose revocation this machine may have missed, or whose app
// the site does not admit.
func (g *Guard) enters(rt *Runtime, id *auth.Identity) error {
	if err := g.fresh(rt); err != nil {
		return err
	}
	if !g.admits(id.App) {
		return fmt.Errorf("%w: a user of app %q, which this site does not admit", auth.ErrAppNotAdmitted, id.App)
	}
	return nil
}

// admits reports whether an app's users may enter this site.
func (g *Guard) admits(app auth.AppID) bool {
	_, ok := g.Admitted[app]
	return ok
}

// errStale is a revocation that another machine may have made and this one has not
// received.
var errStale = errors.New("revocations of other machines are not being received")

// fresh refuses all tokens while a revocation may have been missed. The status is 503, because
// the token may be valid. A store that is not shared is never stale.
func (g *Guard) fresh(rt *Runtime) error {
	if rt.Stale == nil {
		return nil
	}
	if stale := rt.Stale(); stale > g.Allowance {
		return fmt.Errorf("%w: %w for %s, at most %s is allowed", auth.ErrStoreUnavailable, errStale, stale.Round(time.Millisecond), g.Allowance)
	}
	return nil
}

// Requirement is an attribute that an identity must have on some paths.
type Requirement struct {
	What    Attribute
	Apps    map[auth.AppID]struct{} // with [AttributeApp]
	MaxAge  time.Duration           // with [AttributeFresh]
	MaxRank int                     // with [AttributeRisk]
	// Unranked are the apps whose users pass if their risk is unknown, with [AttributeRisk].
	Unranked map[auth.AppID]struct{}
	Paths    edge.LenientSet
}

// Attribute is an attribute of an identity.
type Attribute string

// The attributes that a path can require.
const (
	AttributePhone   Attribute = "phone"   // a verified phone number
	AttributeUnionID Attribute = "unionid" // a unionid
	AttributeApp     Attribute = "app"     // a token of one of some apps
	AttributeFresh   Attribute = "fresh"   // a recent login
	AttributeRisk    Attribute = "risk"    // a low risk rank
)

// check returns the error for the attribute that the identity lacks on this path.
func (r Requirement) check(id *auth.Identity, path edge.Path) error {
	if !r.Paths.Match(path) {
		return nil
	}
	switch r.What {
	case AttributePhone:
		if id.Phone == "" {
			return auth.ErrPhoneRequired
		}
	case AttributeUnionID:
		if id.UnionID == "" {
			return auth.ErrUnionIDRequired
		}
	case AttributeFresh:
		// A refresh does not change when the session began.
		if time.Since(id.Session.Began()) > r.MaxAge {
			return &auth.LoginTooOldError{MaxAge: r.MaxAge}
		}
	case AttributeRisk:
		return r.checkRisk(id)
	case AttributeApp:
		if _, ok := r.Apps[id.App]; !ok {
			return fmt.Errorf("%w: this path is closed to app %q", auth.ErrAppNotAdmitted, id.App)
		}
	}
	return nil
}

func (r Requirement) checkRisk(id *auth.Identity) error {
	rank, known := id.Risk.Rank()
	if !known {
		if _, ok := r.Unranked[id.App]; ok {
			return nil
		}
		return fmt.Errorf("%w: the login of this session has no rank", auth.ErrRiskTooHigh)
	}
	if rank > r.MaxRank {
		return fmt.Errorf("%w: rank %d, at most %d is allowed", auth.ErrRiskTooHigh, rank, r.MaxRank)
	}
	return nil
}
