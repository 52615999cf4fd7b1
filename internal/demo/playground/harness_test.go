package playground

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/demo/service"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secondApp = "wx0000000000000002"

// fixture is a playground with the simulator, an upstream, and a gateway that is a few lines:
// it accepts the token "header.payload.signature" and passes on as alice.
type fixture struct {
	*Playground
	t     *testing.T
	page  *httptest.Server
	admin []string // the bodies that the admin API got
}

// tokenFor is an unsigned JWT, {"alg":"none"} and {"sub":"alice"}.
const tokenFor = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2ln"

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOf(t, service.Streams(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })))
}

// newFixtureOf has a service behind the gateway.
func newFixtureOf(t *testing.T, behind http.Handler) *fixture {
	t.Helper()
	f := &fixture{t: t}
	listener, socket := unixListener(t)
	gateway := httptest.NewUnstartedServer(nil)
	gateway.Start()
	t.Cleanup(gateway.Close)
	sim := startSimulator(t, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Observe(WeChat, api).ServeHTTP(w, r) })
	})
	f.Playground = New(Config{
		WeChat: sim.URL, WebApps: []App{{ID: wechatsim.WebApps()[0].ID, Suffix: "-official"}, {ID: wechatsim.WebApps()[1].ID, Suffix: "-website"}},
		Gateway: gateway.URL, Management: sim.ManagementURL, Admin: socket, Caddyfile: ":8080 {\n}\n",
		Apps:     []App{{ID: wechatsim.DefaultApp.ID}, {ID: secondApp, Suffix: "-2"}},
		Attacked: gateway.URL, Echo: newEcho(t),
	})
	addUsers(t, sim.Sim, f.Users())
	upstream := serve(t, f.Observe(Upstream, behind))
	gateway.Config.Handler = fakeGateway(sim.URL, upstream.URL)
	go func() { _ = (&http.Server{Handler: http.HandlerFunc(f.serveAdmin)}).Serve(listener) }()
	f.page = serve(t, f.Handler())
	t.Cleanup(f.Close) // before the servers that it calls
	return f
}

func newEcho(t *testing.T) *wire.Echo {
	t.Helper()
	echo, err := wire.NewEcho("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := echo.Close(); err != nil {
			t.Error(err)
		}
	})
	return echo
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func startSimulator(t *testing.T, observe func(http.Handler) http.Handler) *simserver.Server {
	t.Helper()
	sim, err := simserver.Start(context.WithoutCancel(t.Context()), wechatsim.Config{
		Apps: append([]wechatsim.App{wechatsim.DefaultApp, {ID: secondApp, Secret: "s"}}, wechatsim.WebApps()...), Observe: observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

func addUsers(t *testing.T, sim *wechatsim.Sim, users []User) {
	t.Helper()
	for _, u := range users {
		if err := sim.AddUser(wechatsim.User{App: u.App, OpenID: u.OpenID, Name: u.Name}, wechatsim.Details{UnionID: u.UnionID}); err != nil {
			t.Fatal(err)
		}
	}
}

func unixListener(t *testing.T) (net.Listener, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener, socket
}

// serveAdmin is the admin API.
func (f *fixture) serveAdmin(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.update(func() { f.admin = append(f.admin, r.URL.Path+" "+string(body)) })
	switch r.URL.Path {
	case "/wxgate/sessions":
		_, _ = io.WriteString(w, `{"sessions":[{"session":"one"}]}`)
	case "/wxgate/keys":
		_, _ = io.WriteString(w, `[{"id":"key"}]`)
	default:
		_, _ = io.WriteString(w, `{"done":"done"}`)
	}
}

// fakeGateway logs in at the simulator, decodes every number, and is a proxy to the upstream.
func fakeGateway(weChat, upstream string) http.Handler {
	target, _ := url.Parse(upstream)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Authorization")
		r.Out.Header.Del("Cookie")
		r.Out.Header.Set("X-Wx-Openid", "alice")
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+loginPath, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ AppID, Code string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		response, err := http.Get(weChat + "/sns/jscode2session?" + url.Values{ //nolint:forbidigo // a test's
			"appid": {in.AppID}, "secret": {wechatsim.DefaultApp.Secret}, "js_code": {in.Code}, "grant_type": {"authorization_code"},
		}.Encode())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, `{"code":"wechat_unavailable"}`)
			return
		}
		_ = response.Body.Close()
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"refresh","session_key":"handle"}`, tokenFor)
	})
	for _, path := range []string{decodePath, refreshPath} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"purePhoneNumber":"10000000000","access_token":%q,"refresh_token":"refresh"}`, tokenFor)
		})
	}
	mux.HandleFunc("POST "+logoutPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	addWeb(mux, weChat)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
			if cookie(r, sessionCookie) == "" {
				http.Redirect(w, r, webLoginPath+"?return="+ordersPath, http.StatusSeeOther)
				return
			}
			proxy.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+tokenFor {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":"missing_token"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	return mux
}

// alice is a command of alice, in the first mini program.
func alice(c command) command {
	c.App, c.User = wechatsim.DefaultApp.ID, "alice"
	return c
}

// do carries out an action as the page does.
func (f *fixture) do(name string, c command) action {
	f.t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		f.t.Fatal(err)
	}
	response := f.send(http.MethodPost, "/do/"+name, string(body), nil)
	defer func() { _ = response.Body.Close() }()
	var a action
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || response.StatusCode != http.StatusOK {
		f.t.Fatalf("%s: status %d, %v", name, response.StatusCode, err)
	}
	return a
}

// send sends a request to the page's server.
func (f *fixture) send(method, path, body string, header map[string]string) *http.Response {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.page.URL+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	response, err := f.page.Client().Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	return response
}

// messages returns the arrows of an action.
func (f *fixture) messages(id int64) []message {
	f.t.Helper()
	history, _, leave := f.recorder.subscribe()
	leave()
	var out []message
	for _, e := range history {
		var m message
		if e.name == "message" && json.Unmarshal(e.data, &m) == nil && m.Action == id {
			out = append(out, m)
		}
	}
	return out
}

// arrows are the hops of messages, in order.
func arrows(messages []message) string {
	var out []string
	for _, m := range messages {
		out = append(out, string(m.From)+">"+string(m.To))
	}
	return strings.Join(out, " ")
}
