// Package openapi has the handler `wxgate_openapi`, over internal/openapi.
package openapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/request"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/openapi"
	"github.com/wxgate/wxgate/internal/problem"
)

func init() {
	caddy.RegisterModule(new(OpenAPI))
}

// OpenAPI is a proxy to WeChat's API: services call it instead of api.weixin.qq.com and
// need no access_token. It adds the app's access_token, fetches a new one when WeChat
// reports that it has expired, and returns WeChat's response unchanged.
//
// Any client that reaches it can act for the mini program, so it serves connections to
// loopback addresses and Unix sockets only.
//
// The request header `X-WX-APPID` names the app, and is removed. It may be missing if
// only one app is served.
type OpenAPI struct {
	// The appids that calls are made for. They must be on platform wechat. An official account
	// is only served if it is named here. Default: all configured mini programs on wechat.
	Apps []string `json:"apps,omitempty"`

	// The paths that may be called: exact, or prefixes that end in `/*`. Default:
	// `/wxa/*`, `/wxaapi/*`, `/cgi-bin/*`, `/datacube/*`, `/product/*`, `/shop/*`,
	// `/channels/*` and `/cv/*`. Paths that accept or
	// return tokens, such as `/sns/*`, are never called.
	Allow []string `json:"allow,omitempty"`

	// Serve connections to any address. Any client that reaches this site can then act
	// for the mini program: put a firewall before it. Default: false.
	ExposeInsecure bool `json:"expose_insecure,omitempty"`

	app      *app.App
	logger   *zap.Logger
	allow    edge.PathSet
	admitted map[auth.AppID]struct{}
	exposed  sync.Once // logs the first call that is not on loopback
}

// CaddyModule returns the module's ID and constructor.
func (*OpenAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.wxgate_openapi", New: func() caddy.Module { return new(OpenAPI) }}
}

// Provision checks the configuration and finds the app. It opens nothing.
func (o *OpenAPI) Provision(ctx caddy.Context) error {
	var err error
	if o.app, err = app.Find(ctx, "wxgate_openapi"); err != nil {
		return err
	}
	o.logger = ctx.Logger()
	if len(o.Allow) == 0 {
		o.Allow = openapi.DefaultPaths
	}
	if o.allow, err = edge.NewPathSet(o.Allow); err != nil {
		return fmt.Errorf("allow: %w", err)
	}
	if err := openapi.CheckAllowed(o.Allow); err != nil {
		return err
	}
	if o.admitted, err = o.app.OpenAPI(o.Apps); err != nil {
		return err
	}
	if o.ExposeInsecure {
		o.logger.Warn("expose insecure: any client that reaches wxgate_openapi can act for the mini program")
	}
	return nil
}

// ServeHTTP responds to every request itself and never calls next.
func (o *OpenAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	started := time.Now()
	outcome := metrics.Broken // unless serve returns
	defer func() {
		metrics.OpenAPI.WithLabelValues(outcome).Observe(time.Since(started).Seconds())
		if outcome == metrics.Broken {
			o.logger.Debug("WeChat's response ended early", zap.String("path", r.URL.Path))
		}
	}()
	err := o.serve(w, r)
	if err == nil {
		outcome = metrics.Answered
		return nil
	}
	p := openapi.Problem(err)
	outcome = p.Code
	o.app.Failures().Log(o.logger, "call to WeChat failed", p, r, request.ID)
	return request.WriteProblem(w, r, p)
}

func (o *OpenAPI) serve(w http.ResponseWriter, r *http.Request) error {
	if !o.ExposeInsecure && !local(r.Context()) {
		o.exposed.Do(func() {
			o.logger.Error("wxgate_openapi refuses calls: its site listens beyond loopback; write bind 127.0.0.1 beside it")
		})
		return problem.Forbidden("wxgate_openapi only serves loopback and Unix sockets. Write bind 127.0.0.1 in its site, or expose insecure in its block.")
	}
	if !o.ExposeInsecure && openapi.Rebound(r) {
		return problem.Forbidden("Use an IP address or localhost as the host; other names are refused to prevent DNS rebinding.")
	}
	if err := openapi.CheckRequest(r, o.allow); err != nil {
		return err
	}
	id, err := o.takeApp(r)
	if err != nil {
		return err
	}
	rt, err := o.app.Acquire()
	if err != nil {
		return err
	}
	defer rt.Release()
	client, ok := rt.Platforms[id]
	if !ok {
		return fmt.Errorf("%w: %q is not configured", auth.ErrUnknownApp, id)
	}
	r.Body = openapi.NewBody(w, r)
	if err := openapi.CheckForm(r); err != nil {
		return err
	}
	return rt.OfApp(id, openapi.Forward(w, r, client))
}

// takeApp returns the app that the call is made for, and removes the header that names it.
func (o *OpenAPI) takeApp(r *http.Request) (auth.AppID, error) {
	named := r.Header["X-Wx-Appid"]
	delete(r.Header, "X-Wx-Appid")
	switch {
	case len(named) > 1:
		return "", problem.BadRequest("Send X-WX-APPID once.")
	case len(named) == 1:
		id := auth.AppID(named[0])
		if _, ok := o.admitted[id]; !ok {
			return "", fmt.Errorf("%w: X-WX-APPID names an app that is not served here", auth.ErrUnknownApp)
		}
		return id, nil
	case len(o.admitted) != 1:
		return "", problem.BadRequest("This site serves several mini programs. Name one in the header X-WX-APPID.")
	}
	for id := range o.admitted {
		return id, nil
	}
	return "", auth.ErrUnknownApp
}

// local reports whether a connection came in on a Unix socket or a loopback address,
// which only this machine can reach.
func local(ctx context.Context) bool {
	switch addr := ctx.Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UDPAddr: // HTTP/3
		return addr.IP.IsLoopback()
	default:
		return false
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*OpenAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*OpenAPI)(nil)
)
