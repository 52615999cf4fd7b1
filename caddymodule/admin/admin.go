// Package admin adds wxgate's calls for operators to Caddy's admin API, and has the commands
// that make these calls. internal/adminapi implements the calls, and describes how to add one.
package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/gateway"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI adds routes for operators to Caddy's admin API. The commands of this package call
// them, because the running process owns the store and the keys.
//
// Anyone who can connect to the admin API can call them: put it on a Unix socket that
// only operators can open.
type adminAPI struct{}

// CaddyModule returns the module's ID and constructor.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.wxgate", New: func() caddy.Module { return new(adminAPI) }}
}

// server serves the calls with the runtime of the running configuration.
var server = adminapi.Server{Acquire: acquireRunning}

// Routes implements caddy.AdminRouter.
func (adminAPI) Routes() []caddy.AdminRoute {
	routes := []caddy.AdminRoute{
		{Pattern: adminapi.Prefix, Handler: caddy.AdminHandlerFunc(list)},
		{Pattern: adminapi.DocumentPath, Handler: caddy.AdminHandlerFunc(document)},
	}
	for _, route := range adminapi.Routes() {
		routes = append(routes, caddy.AdminRoute{
			Pattern: route.Path,
			Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				return apiError(server.Serve(route, w, r))
			}),
		})
	}
	return routes
}

// list describes the other routes.
func list(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != adminapi.Prefix {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("not found; GET /wxgate/ lists the calls")}
	}
	return adminapi.List(w)
}

func document(w http.ResponseWriter, _ *http.Request) error { return adminapi.WriteDocument(w) }

// apiError converts an error to one with a status, for the response of Caddy's admin API.
func apiError(err error) error {
	if failed, ok := errors.AsType[*adminapi.Error](err); ok {
		return caddy.APIError{HTTPStatus: failed.Status, Err: failed.Err}
	}
	return err
}

// acquireRunning returns the runtime of the configuration that runs now, which the caller
// releases, and its audit log.
func acquireRunning() (*gateway.Runtime, *zap.Logger, error) {
	a, err := runningApp()
	if err != nil {
		return nil, nil, err
	}
	rt, err := a.Acquire()
	return rt, a.AuditLogger(), err
}

const (
	// startWait is how long a call waits for the configuration. During a start, Caddy serves
	// requests before it sets the active configuration: a script that makes a call as soon
	// as {prefix}/ready responds would fail.
	startWait = 2 * time.Second
	startPoll = 20 * time.Millisecond
)

// runningApp returns the app of the active configuration.
func runningApp() (*app.App, error) {
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for deadline := time.Now().Add(startWait); ; <-poll.C {
		running, err := caddy.ActiveContext().AppIfConfigured(app.Name)
		if err == nil {
			return running.(*app.App), nil
		}
		if time.Now().After(deadline) {
			return nil, errors.New("wxgate is not configured in the running process")
		}
	}
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
