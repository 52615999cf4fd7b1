package app

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/wechat"
)

// AddBrowsers records that a site serves browsers.
func (a *App) AddBrowsers() { a.browsers = true }

// OfKind returns the appid of the app with this name, which must be of this kind; it returns ""
// for an empty name. The kind "" is a mini program on WeChat.
func (a *App) OfKind(name string, kind wechat.Kind) (auth.AppID, error) {
	if name == "" {
		return "", nil
	}
	id, err := miniprogram.ResolveID(caddy.NewReplacer(), name)
	if err != nil {
		return "", err
	}
	m := a.find(id)
	switch {
	case m == nil:
		return "", fmt.Errorf("app %s is not configured: add it to the global wxgate block", id)
	case m.ResolvedKind() == kind && m.ResolvedPlatform() == wechat.WeChat:
		return id, nil
	case kind == "":
		return "", fmt.Errorf("app %s is not a mini program on platform wechat", id)
	}
	return "", fmt.Errorf("app %s is not of kind %s: set kind in its block, or name another app", id, kind)
}

// SameAPI reports whether two configured apps call the same API.
func (a *App) SameAPI(one, other auth.AppID) bool {
	return a.find(one).ResolvedAPI() == a.find(other).ResolvedAPI()
}

// openBrowsers opens the sessions of browsers, if a site has any.
func (o *opener) openBrowsers(context.Context) (err error) {
	if !o.app.browsers {
		return nil
	}
	rt := o.runtime
	rt.Web, err = web.New(web.Config{
		Sessions: rt.Service, Records: o.store.records, Box: o.box, Pseudonym: rt.Tokens.Pseudonym,
	})
	if err != nil {
		return err
	}
	o.releases = append(o.releases, func() error { rt.Web.Close(); return nil })
	return nil
}
