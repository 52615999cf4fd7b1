package handler

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway"
)

// Requirement refuses identities that lack an attribute: with 401 if the login is too old,
// otherwise with 403.
type Requirement struct {
	// `phone`: a verified phone number. `unionid`: a unionid. `app`: a token of one of
	// Apps. `fresh`: a login that is not older than MaxAge. `risk`: a risk rank of at most
	// MaxRisk. Required.
	What string `json:"what"`
	// With `app`, the admitted appids.
	Apps []string `json:"apps,omitempty"`
	// With `fresh`, the maximum age of the login, at least 1s. A login proves a recent
	// `wx.login`, not that the user is present.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// With `risk`, the highest admitted rank, from 0 to 4. A login without a rank is refused,
	// unless its app has `risk` with `on_error allow`. Default: 0, the lowest risk.
	MaxRisk int `json:"max_risk,omitempty"`
	// The paths: exact, or prefixes that end in /*. Required.
	Paths []string `json:"paths"`
}

// attributes are the attributes that a path can require.
var attributes = []gateway.Attribute{gateway.AttributePhone, gateway.AttributeUnionID, gateway.AttributeApp, gateway.AttributeFresh, gateway.AttributeRisk}

func unrecognizedRequirement(what string) error {
	names := make([]string, len(attributes))
	for i, attribute := range attributes {
		names[i] = string(attribute)
	}
	return fmt.Errorf("unrecognized requirement %q; expected one of: %s", what, strings.Join(names, ", "))
}

func (h *Handler) parseRequire(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	r := Requirement{What: d.Val()}
	if !slices.Contains(attributes, gateway.Attribute(r.What)) {
		return d.WrapErr(unrecognizedRequirement(r.What))
	}
	var args []string
	for d.NextArg() && d.Val() != "on" {
		args = append(args, d.Val())
	}
	complete := d.Val() == "on"
	if complete {
		var err error
		if complete, err = r.parseArgs(d, args); err != nil {
			return err
		}
	}
	if !complete {
		return d.Err("write require phone on <path>..., require unionid on <path>..., require app <appid>... on <path>..., require fresh <duration> on <path>... or require risk <max> on <path>...")
	}
	if err := directive.Paths(d, &r.Paths)(); err != nil {
		return err
	}
	h.Require = append(h.Require, r)
	return nil
}

// parseArgs reads the arguments between the attribute and "on". It returns false if their number
// is wrong.
func (r *Requirement) parseArgs(d *caddyfile.Dispenser, args []string) (complete bool, err error) {
	switch what := gateway.Attribute(r.What); {
	case what == gateway.AttributeApp:
		r.Apps = args
		return len(args) > 0, nil
	case what == gateway.AttributeFresh && len(args) == 1:
		return true, directive.ParsePositive(d, args[0], &r.MaxAge)
	case what == gateway.AttributeRisk && len(args) == 1:
		r.MaxRisk, err = strconv.Atoi(args[0])
		if _, ok := auth.RiskOf(r.MaxRisk); err != nil || !ok {
			return true, d.WrapErr(fmt.Errorf("require risk %q: %w", args[0], errRank))
		}
		return true, nil
	case what == gateway.AttributeFresh, what == gateway.AttributeRisk:
		return false, nil
	}
	return len(args) == 0, nil
}

var errRank = fmt.Errorf("the highest admitted rank is a number from 0 to %d", auth.MaxRiskRank)

// newRequirements compiles the requirements of a site that admits these apps.
func newRequirements(configured []Requirement, a *app.App, admitted map[auth.AppID]struct{}) ([]gateway.Requirement, error) {
	var compiled []gateway.Requirement
	for _, c := range configured {
		r, err := c.compile(a, admitted)
		if err != nil {
			return nil, fmt.Errorf("require %s: %w", c.What, err)
		}
		compiled = append(compiled, r)
	}
	return compiled, nil
}

func (r *Requirement) compile(a *app.App, admitted map[auth.AppID]struct{}) (gateway.Requirement, error) {
	out := gateway.Requirement{What: gateway.Attribute(r.What), MaxAge: time.Duration(r.MaxAge), MaxRank: r.MaxRisk}
	paths, err := edge.NewPathSet(r.Paths)
	if err != nil {
		return out, err
	}
	out.Paths = paths.Lenient()
	switch {
	case !slices.Contains(attributes, out.What):
		return out, unrecognizedRequirement(r.What)
	case len(r.Paths) == 0:
		return out, errors.New("name the paths: on <path>")
	case out.What == gateway.AttributeApp && len(r.Apps) == 0:
		return out, errors.New("name the appids")
	case out.What == gateway.AttributeApp:
		out.Apps, err = a.Named(r.Apps) // the site's own list of apps still applies
	case out.What == gateway.AttributeFresh && out.MaxAge < time.Second:
		return out, errors.New("the maximum age of a login is at least 1s")
	case out.What == gateway.AttributeRisk:
		out.Unranked, err = unrankedApps(a, admitted)
		if _, ok := auth.RiskOf(out.MaxRank); !ok {
			err = errRank
		}
	}
	return out, err
}

// unrankedApps returns the apps whose users need no rank. Without any app that ranks users, a
// path that requires a rank would be closed to everyone.
func unrankedApps(a *app.App, admitted map[auth.AppID]struct{}) (map[auth.AppID]struct{}, error) {
	ranked, unranked := a.Ranked(admitted)
	if len(ranked) == 0 {
		return nil, errNotRanked
	}
	return unranked, nil
}

var errNotRanked = errors.New("no app of this site has the option risk, so that no user has a rank; add risk to an app in the global wxgate block")
