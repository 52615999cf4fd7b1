// Package admin has the routes that wxgate adds to Caddy's admin API, and the commands that
// call them.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI adds routes for operators to Caddy's admin API. The commands `wxgate keys`,
// `wxgate user` and `wxgate session-key` call them, because the running process owns the
// store and the keys.
//
// Anyone who can connect to the admin API can call them: put it on a Unix socket that
// only operators can open.
type adminAPI struct{}

// CaddyModule returns the module's ID and constructor.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.wxgate", New: func() caddy.Module { return new(adminAPI) }}
}

// adminRoute is one call for operators.
type adminRoute struct {
	method, path, purpose string
	run                   func(context.Context, *gateway.Runtime, adminRequest) (any, error)
}

// adminRequest is the body of a POST.
type adminRequest struct {
	Key       auth.KeyID  `json:"key"`
	Immediate bool        `json:"immediate"`
	App       auth.AppID  `json:"app"`
	OpenID    auth.OpenID `json:"openid"`
}

const (
	pathRotate = "/wxgate/keys/rotate"
	pathRetire = "/wxgate/keys/retire"
)

var adminRoutes = []adminRoute{
	{http.MethodGet, "/wxgate/keys", "list the signing keys", adminKeys},
	{http.MethodPost, pathRotate, "make the next signing key; immediate: have it sign at once", adminRotate},
	{http.MethodPost, pathRetire, "refuse all that a signing key signed; key: its ID", adminRetire},
	{http.MethodPost, "/wxgate/user/logout", "end every session of a user; app, openid", adminLogout},
	{http.MethodPost, "/wxgate/session-key/check", "ask WeChat whether a user's session key still holds; app, openid", adminCheckKey},
	{http.MethodPost, "/wxgate/session-key/reset", "have WeChat replace a user's session key; app, openid", adminResetKey},
}

// Routes implements caddy.AdminRouter.
func (adminAPI) Routes() []caddy.AdminRoute {
	routes := []caddy.AdminRoute{{Pattern: "/wxgate/", Handler: caddy.AdminHandlerFunc(listAdminRoutes)}}
	for _, route := range adminRoutes {
		routes = append(routes, caddy.AdminRoute{Pattern: route.path, Handler: caddy.AdminHandlerFunc(route.serve)})
	}
	return routes
}

// listAdminRoutes describes the other routes.
func listAdminRoutes(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != "/wxgate/" {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("not found; GET /wxgate/ lists the calls")}
	}
	type line struct {
		Method  string `json:"method"`
		Path    string `json:"path"`
		Purpose string `json:"purpose"`
	}
	var lines []line
	for _, route := range adminRoutes {
		lines = append(lines, line{route.method, route.path, route.purpose})
	}
	return gateway.WriteJSON(w, http.StatusOK, lines)
}

func (route adminRoute) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != route.method {
		w.Header().Set("Allow", route.method)
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method not allowed; use %s", route.method)}
	}
	var in adminRequest
	if err := readAdminRequest(w, r, &in); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	rt, err := acquireRunning()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	defer rt.Release()
	result, err := route.run(r.Context(), rt, in)
	if err != nil {
		return caddy.APIError{HTTPStatus: adminStatus(err), Err: err}
	}
	return gateway.WriteJSON(w, http.StatusOK, result)
}

func readAdminRequest(w http.ResponseWriter, r *http.Request, in *adminRequest) error {
	if r.Method != http.MethodPost {
		return nil
	}
	body, err := problem.ReadBody(w, r)
	if err != nil || len(body) == 0 {
		return err
	}
	return json.Unmarshal(body, in, json.RejectUnknownMembers(true))
}

// adminStatus returns the status of an error.
func adminStatus(err error) int {
	switch {
	case errors.Is(err, keyring.ErrUnknownKey), errors.Is(err, errUnknownApp):
		return http.StatusNotFound
	case errors.Is(err, keyring.ErrKeyGiven):
		return http.StatusConflict
	default:
		return problem.Of(err).Status
	}
}

// acquireRunning returns the runtime of the configuration that runs now. The caller
// releases it.
func acquireRunning() (*gateway.Runtime, error) {
	running, err := caddy.ActiveContext().AppIfConfigured(app.Name)
	if err != nil {
		return nil, errors.New("wxgate is not configured in the running process")
	}
	return running.(*app.App).Acquire()
}

// errUnknownApp is a call about an app that the running configuration does not have.
var errUnknownApp = errors.New("app is not configured")

// keyResponse is a signing key as operators see it.
type keyResponse struct {
	ID          auth.KeyID       `json:"id"`
	Alg         signing.Alg      `json:"alg"`
	State       keyring.KeyState `json:"state"`
	Configured  bool             `json:"configured"`
	Issuer      string           `json:"issuer"`
	Audience    []string         `json:"audience"`
	CreatedAt   time.Time        `json:"created_at"`
	SignsFrom   time.Time        `json:"signs_from"`
	VerifyUntil time.Time        `json:"verify_until,omitzero"`
	New         bool             `json:"new,omitempty"` // this call made it
}

func adminKeys(_ context.Context, rt *gateway.Runtime, _ adminRequest) (any, error) {
	return listKeys(rt), nil
}

func listKeys(rt *gateway.Runtime) []keyResponse {
	keys := []keyResponse{}
	for _, key := range rt.Ring.Keys() {
		keys = append(keys, keyResponse{
			ID: key.ID, Alg: key.Alg, State: key.State, Configured: key.Given, Issuer: key.Issuer, Audience: key.Audiences,
			CreatedAt: key.CreatedAt, SignsFrom: key.SignsFrom, VerifyUntil: key.VerifyUntil,
		})
	}
	return keys
}

func adminRotate(ctx context.Context, rt *gateway.Runtime, in adminRequest) (any, error) {
	next, made, err := rt.Ring.Rotate(ctx, in.Immediate)
	if err != nil {
		return nil, err
	}
	keys := listKeys(rt)
	for i := range keys {
		keys[i].New = made && keys[i].ID == next
	}
	return keys, nil
}

// adminRetire removes the key from the ring first, so that this process refuses its
// tokens even if the store fails.
func adminRetire(ctx context.Context, rt *gateway.Runtime, in adminRequest) (any, error) {
	until, err := rt.Ring.Retire(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if err := rt.Store.RevokeKey(ctx, in.Key, until); err != nil {
		return nil, err
	}
	return listKeys(rt), nil
}

type doneResponse struct {
	Done  string `json:"done"`
	Ended *int   `json:"ended,omitempty"` // sessions, by user/logout
}

// userOf checks the user that a call is about. A misspelled appid is an error: the
// operator must not believe that the user's sessions have ended.
func userOf(rt *gateway.Runtime, in adminRequest) (auth.User, error) {
	if !auth.ValidID(in.App) || !auth.ValidID(in.OpenID) {
		return auth.User{}, fmt.Errorf("%w: app and openid are required", auth.ErrInvalidRequest)
	}
	if _, ok := rt.Platforms[in.App]; !ok {
		return auth.User{}, fmt.Errorf("%w: %s", errUnknownApp, in.App)
	}
	return auth.User{App: in.App, OpenID: in.OpenID}, nil
}

func adminLogout(ctx context.Context, rt *gateway.Runtime, in adminRequest) (any, error) {
	user, err := userOf(rt, in)
	if err != nil {
		return nil, err
	}
	ended, err := rt.Service.EndUser(ctx, user)
	if err != nil {
		return nil, err
	}
	return doneResponse{Done: logoutReport(ended), Ended: &ended}, nil
}

func logoutReport(ended int) string {
	switch ended {
	case 0:
		return "no session of this user; access tokens that were issued to the user before are refused"
	case 1:
		return "1 session ended"
	}
	return fmt.Sprintf("%d sessions ended", ended)
}

func adminCheckKey(ctx context.Context, rt *gateway.Runtime, in adminRequest) (any, error) {
	user, err := userOf(rt, in)
	if err != nil {
		return nil, err
	}
	return doneResponse{Done: "the session key is valid"}, rt.Service.CheckSessionKey(ctx, user)
}

func adminResetKey(ctx context.Context, rt *gateway.Runtime, in adminRequest) (any, error) {
	user, err := userOf(rt, in)
	if err != nil {
		return nil, err
	}
	return doneResponse{Done: "the session key was replaced"}, rt.Service.ResetSessionKey(ctx, user)
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
