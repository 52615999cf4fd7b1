package app

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// Admitted returns the set of the named mini programs, or of all mini programs if names is
// empty. Users of other kinds of apps have no access tokens, so no call of the login API may
// serve them.
func (a *App) Admitted(names []string) (map[auth.AppID]struct{}, error) {
	if len(names) > 0 {
		named, err := a.Named(names)
		for id := range named {
			if kind := a.Kind(id); kind != "" {
				return nil, fmt.Errorf("app %s is of kind %s, whose users log in on web pages; only web admits them", id, kind)
			}
		}
		return named, err
	}
	all := make(map[auth.AppID]struct{}, len(a.MiniPrograms))
	for _, m := range a.MiniPrograms {
		if m.ResolvedKind() == "" {
			all[m.ID()] = struct{}{}
		}
	}
	return all, nil
}

// Named returns the set of the named apps, of all kinds.
func (a *App) Named(names []string) (map[auth.AppID]struct{}, error) {
	repl := caddy.NewReplacer()
	named := make(map[auth.AppID]struct{}, len(names))
	for _, name := range names {
		id, err := miniprogram.ResolveID(repl, name)
		if err != nil {
			return nil, err
		}
		if a.find(id) == nil {
			return nil, fmt.Errorf("app %s is not configured: add it to the global wxgate block", id)
		}
		named[id] = struct{}{}
	}
	return named, nil
}

// find returns a configured app, or nil.
func (a *App) find(id auth.AppID) *miniprogram.Config {
	for _, m := range a.MiniPrograms {
		if m.ID() == id {
			return m
		}
	}
	return nil
}

// Kind returns the kind of a configured app; "" for a mini program.
func (a *App) Kind(id auth.AppID) wechat.Kind {
	if m := a.find(id); m != nil {
		return m.ResolvedKind()
	}
	return ""
}

// OpenAPI returns the apps whose API wxgate_openapi serves: the named apps, or all mini
// programs on WeChat. A service that reaches wxgate_openapi can act for these apps, so an
// official account must be named.
func (a *App) OpenAPI(names []string) (map[auth.AppID]struct{}, error) {
	if len(names) == 0 {
		apps, err := a.Admitted(nil)
		if err != nil {
			return nil, err
		}
		return apps, a.weChatOnly(apps, false)
	}
	apps, err := a.Named(names)
	if err != nil {
		return nil, err
	}
	for id := range apps {
		if a.Kind(id) == wechat.Website {
			return nil, fmt.Errorf("app %s is of kind website, which has no server API", id)
		}
	}
	return apps, a.weChatOnly(apps, true)
}

// weChatOnly removes the apps that are not on WeChat, for features that only WeChat has. If
// the operator named such an app, it returns an error instead.
func (a *App) weChatOnly(apps map[auth.AppID]struct{}, named bool) error {
	for _, m := range a.MiniPrograms {
		if _, ok := apps[m.ID()]; !ok || m.ResolvedPlatform() == wechat.WeChat {
			continue
		}
		if named {
			return fmt.Errorf("app %s is on platform %s, whose API is not served here", m.ID(), m.ResolvedPlatform())
		}
		delete(apps, m.ID())
	}
	if len(apps) == 0 {
		return errors.New("no mini program is on platform wechat, whose API is the one that is served here; an official account must be named with app")
	}
	return nil
}

// Failures returns the log of failed requests that all sites share.
func (a *App) Failures() *failures.Log { return &a.failures }

// Access returns the lifetime of an access token.
func (a *App) Access() time.Duration { return time.Duration(a.Token.Access) }

// PublicIssuer returns the issuer of tokens, for a site that publishes its metadata. It is
// an error with HS256, which has no public key: no verifier could use the metadata.
func (a *App) PublicIssuer() (string, error) {
	if !a.alg.Public() {
		return "", fmt.Errorf("metadata requires a public-key algorithm, not %s; set token alg to EdDSA, ES256 or RS256", a.alg)
	}
	return a.Token.Issuer, nil
}

// FirstGuard reports whether this is its first call for this server in this configuration.
// Caddy provisions handlers one after the other, so it needs no lock.
func (a *App) FirstGuard(server *caddyhttp.Server) bool {
	if _, ok := a.guarded[server]; ok {
		return false
	}
	if a.guarded == nil {
		a.guarded = make(map[*caddyhttp.Server]struct{})
	}
	a.guarded[server] = struct{}{}
	return true
}

// Callbacks returns the callbacks of the given apps, and of all official accounts: no site
// lists these among its apps. A callback serves no user; its caller proves that it knows the
// account's token.
func (a *App) Callbacks(apps map[auth.AppID]struct{}) []*callback.Receiver {
	var callbacks []*callback.Receiver
	for _, m := range a.MiniPrograms {
		if _, ok := apps[m.ID()]; (ok || m.ResolvedKind() == wechat.Official) && m.Receiver() != nil {
			callbacks = append(callbacks, m.Receiver())
		}
	}
	return callbacks
}

// RawKeys returns the apps, of those given, whose old clients may send WeChat's session_key.
func (a *App) RawKeys(apps map[auth.AppID]struct{}) map[auth.AppID]struct{} {
	accepting := make(map[auth.AppID]struct{})
	for _, m := range a.MiniPrograms {
		if _, ok := apps[m.ID()]; ok && m.TakesRawKeys() {
			accepting[m.ID()] = struct{}{}
		}
	}
	return accepting
}

// AdmitsWeChat reports whether one of the apps is on WeChat itself.
func (a *App) AdmitsWeChat(apps map[auth.AppID]struct{}) bool {
	return slices.ContainsFunc(a.MiniPrograms, func(m *miniprogram.Config) bool {
		_, ok := apps[m.ID()]
		return ok && m.ResolvedPlatform() == wechat.WeChat
	})
}

// CheckAssertion returns an error if no assertion with this audience can be signed, so that
// the configuration fails to load and not the first request.
func (a *App) CheckAssertion(audience string) error {
	switch {
	case audience == "":
		return nil
	case !a.alg.Public():
		return fmt.Errorf("the assertion header requires a public-key algorithm, not %s; set token alg to EdDSA, ES256 or RS256", a.alg)
	case slices.Contains(a.Token.Audience, audience):
		return fmt.Errorf("the assertion header: audience %q is also the audience of access tokens; use a separate one for the upstream", audience)
	case slices.ContainsFunc(a.MiniPrograms, func(m *miniprogram.Config) bool { return pushes.HasURL(m.Forwards(), audience) }):
		return fmt.Errorf("the assertion header: audience %q is also the URL of a forward; use a separate one for the upstream", audience)
	}
	return nil
}

// Ranked returns the apps, of those given, whose logins ask for a risk rank. Users of the
// unranked apps among them pass `require risk` without a rank.
func (a *App) Ranked(apps map[auth.AppID]struct{}) (ranked, unranked map[auth.AppID]struct{}) {
	ranked, unranked = make(map[auth.AppID]struct{}), make(map[auth.AppID]struct{})
	for _, m := range a.MiniPrograms {
		if _, ok := apps[m.ID()]; !ok || m.Risk == nil {
			continue
		}
		ranked[m.ID()] = struct{}{}
		if m.AdmitsUnranked() {
			unranked[m.ID()] = struct{}{}
		}
	}
	return ranked, unranked
}
