package gateway

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/gateway/limit"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// The two mini programs of the simulator.
var (
	first  = wechatsim.DefaultApp
	second = wechatsim.App{ID: "wx0000000000000002", Secret: "00000000000000000000000000000002"}
)

// site is a gateway with a memory store and the simulator. It records the last request that
// reached the next handler.
type site struct {
	t       testing.TB
	gateway *Gateway
	runtime *Runtime
	sim     *wechatsim.Sim
	api     string // the simulator's

	next   nextFunc          // the next handler; nil responds with 200
	passed *http.Request     // the last request that reached the next handler
	shown  map[string]string // values that the gateway set for the last request, by name
}

// newSite returns a site that serves both mini programs under /v1.0/pub. change edits the
// configuration.
func newSite(t testing.TB, change func(*site, *Config)) *site {
	t.Helper()
	s := &site{t: t, shown: map[string]string{}}
	s.runtime = newRuntime(t, s)
	headers, err := edge.NewHeaders(edge.Names{Assertion: "X-Wx-Assertion", AssertionAudience: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := edge.NewCredentials(edge.Source{}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := new(failures.Log)
	t.Cleanup(failed.Close)
	config := Config{
		Prefix: DefaultPrefix, Access: time.Hour, Grace: testGrace,
		Limits: limit.New(limit.Config{Phone: limit.Rate{N: 10, Per: time.Minute}, Decode: limit.Rate{N: 30, Per: time.Minute}, Inflight: 8}),
		Guard: &Guard{
			Acquire: func() (*Runtime, error) { s.runtime.Acquire(); return s.runtime, nil },
			Server:  s.server(), Failures: failed, Logger: zap.NewNop(), Allowance: testAllowance,
			Admitted: map[auth.AppID]struct{}{auth.AppID(first.ID): {}, auth.AppID(second.ID): {}},
			Edge: edge.Edge{
				Headers: headers, Credentials: credentials, ComparesPaths: true, FoldsPaths: true, Prefix: DefaultPrefix,
				Trusted: func(r *http.Request) bool { return r.RemoteAddr == "10.0.0.1:1" },
			},
		},
	}
	if change != nil {
		change(s, &config)
	}
	if s.gateway, err = New(config); err != nil {
		t.Fatal(err)
	}
	return s
}

// server records the values that the gateway sets for a request.
func (s *site) server() Server {
	return Server{
		RequestID:   func(*http.Request) string { return "request-1" },
		ClientIP:    func(r *http.Request) string { return cmp.Or(r.Header.Get("X-Test-Address"), "192.0.2.1") },
		OriginalURI: func(r *http.Request) string { return r.URL.RequestURI() },
		Expand: func(r *http.Request, text string) string {
			return strings.ReplaceAll(text, "{city}", r.Header.Get("X-Test-City"))
		},
		ShuttingDown: func(r *http.Request) bool { return r.Header.Get("X-Test-Shutting-Down") != "" },
		SetIdentity: func(_ *http.Request, id *auth.Identity) {
			if s.shown["openid"] = ""; id != nil {
				s.shown["openid"] = string(id.OpenID)
			}
		},
		NameUser: func(_ *http.Request, id *auth.Identity) { s.shown["user"] = id.Pseudonym },
		LogCode:  func(_ *http.Request, code string) { s.shown["code"] = code },
		ServeAgain: func(w http.ResponseWriter, r *http.Request, edit func(string) string) error {
			again := r.Clone(r.Context())
			again.URL.RawQuery = edit(again.URL.RawQuery)
			again.RequestURI = again.URL.RequestURI()
			s.shown["uri"] = again.RequestURI
			return s.gateway.ServeHTTP(w, again, s.behind())
		},
	}
}

// newRuntime opens a memory store, a key ring and clients of the simulator.
func newRuntime(t testing.TB, s *site) *Runtime {
	t.Helper()
	sim, err := simserver.Start(t.Context(), wechatsim.Config{Apps: append([]wechatsim.App{first, second}, wechatsim.WebApps()...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	s.sim, s.api = sim.Sim, sim.URL
	box, err := seal.New([]byte(strings.Repeat("root secret ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{Storage: new(tokentest.Storage), Box: box, Issuer: "wxgate", Audiences: []string{"wxgate"}, Access: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.New(token.Config{Ring: ring, Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	store := memory.New(time.Now, session.Options{})
	t.Cleanup(func() { _ = store.Close() })
	rt := &Runtime{
		Tokens: tokens, Ring: ring, Store: store, Revocations: store.Revocations(),
		Platforms: map[auth.AppID]*wechat.Client{}, Ready: store.Ready, Pushes: push.NewRouter(nil),
	}
	apps := map[auth.AppID]auth.Platform{}
	for _, app := range []wechatsim.App{first, second} {
		client, err := wechat.New(wechat.Config{AppID: auth.AppID(app.ID), Secret: app.Secret, API: sim.URL, Watermark: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		rt.Platforms[auth.AppID(app.ID)], apps[auth.AppID(app.ID)] = client, client
	}
	rt.Service = auth.NewService(auth.Config{
		Apps: apps, Tokens: tokens, Store: store, Revocations: rt.Revocations, Available: rt.Ready,
		Access: time.Hour, Refresh: 30 * 24 * time.Hour, Idle: 7 * 24 * time.Hour,
	})
	rt.Open(func() error { return nil }, zap.NewNop())
	return rt
}

// response is the response that a client got.
type response struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// do sends a request. Headers come in pairs.
func (s *site) do(method, target, body string, headers ...string) response {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.serve(r)
}

func (s *site) serve(r *http.Request) response {
	s.t.Helper()
	s.passed, s.shown["code"], s.shown["user"] = nil, "", ""
	w := httptest.NewRecorder()
	if err := s.gateway.ServeHTTP(w, r, s.behind()); err != nil {
		s.t.Fatal(err)
	}
	return response{s.t, w.Code, w.Result().Header, w.Body.String()}
}

// behind is the next handler.
func (s *site) behind() Next {
	return nextFunc(func(w http.ResponseWriter, r *http.Request) error {
		s.passed = r
		if s.next != nil {
			return s.next(w, r)
		}
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// want checks the status and, unless it is empty, the error code.
func (r response) want(status int, code string) {
	r.t.Helper()
	if got := r.get("code"); r.status != status || code != "" && got != code {
		r.t.Errorf("status %d, code %q, want %d %q: %s", r.status, got, status, code, r.body)
	}
}

// get returns a member of the JSON body as text.
func (r response) get(name string) string {
	var object map[string]any
	if json.Unmarshal([]byte(r.body), &object) != nil {
		return ""
	}
	text, _ := object[name].(string)
	return text
}

// code returns a login code of alice in an app.
func (s *site) code(app wechatsim.App) string {
	s.t.Helper()
	code, err := s.sim.MintCode(wechatsim.User{App: app.ID, Name: "alice"}, wechatsim.Login{})
	if err != nil {
		s.t.Fatal(err)
	}
	return code.Code
}

// login logs alice in and returns the response.
func (s *site) login(app wechatsim.App) response {
	s.t.Helper()
	r := s.do(http.MethodPost, "/v1.0/pub/openId", `{"code":"`+s.code(app)+`","appid":"`+app.ID+`"}`)
	r.want(http.StatusOK, "")
	return r
}

// bearer logs alice in to the first app and returns the header with her token.
func (s *site) bearer() []string {
	s.t.Helper()
	return []string{"Authorization", "Bearer " + s.login(first).get("access_token")}
}
