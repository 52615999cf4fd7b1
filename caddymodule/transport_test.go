package caddymodule_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"

	"github.com/wxgate/wxgate/caddymodule/proxylog"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// loggingSite is a gateway with Caddy's default log, in a file. ROUTES stands for the routes
// of the site; another site responds to the requests of forward_auth.
var loggingSite = siteWith{global: `	log {
		output file {{.Dir}}/log
	}
	servers {
		protocols h1 h2c
	}`, store: "memory", sites: `
&(api) {
	reverse_proxy {{.Upstream}}
}
http://{{.Addr}} {
	ROUTES
}
http://{{.Plain}} {
	respond 204
}`}.String()

// log returns the content of the file "log".
func (f *fixture) log() string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

const incomplete = "aborting with incomplete response"

// breakOff responds, and breaks the connection in the middle of the response.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write(make([]byte, 100))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Sites with a reverse_proxy in different places.
var proxies = map[string]string{
	"behind wxgate":                    "wxgate\nreverse_proxy {{.Upstream}}",
	"with options":                     "wxgate\nreverse_proxy {{.Upstream}} {\nlb_try_duration 1s\nheader_down -X-A\ntransport http {\ndial_timeout 3s\nversions 1.1\n}\n}",
	"HTTP/2 to the upstream":           "wxgate\nreverse_proxy h2c://{{.Upstream}}",
	"in a handle":                      "wxgate\nhandle /o* {\nreverse_proxy {{.Upstream}}\n}",
	"in a handle in a route":           "route {\nwxgate\nhandle_path /o* {\nroute {\nreverse_proxy {{.Upstream}}\n}\n}\n}",
	"in a named route":                 "wxgate\ninvoke api",
	"under another handler's names":    "@no path /no\nhandle @no {\nwxgate\nreverse_proxy 127.0.0.1:1\n}\nhandle {\nwxgate {\nheaders {\nopenid X-User\nsession X-Sid\n}\n}\nreverse_proxy {{.Upstream}}\n}",
	"in handle_response":               "wxgate\nreverse_proxy {{.Plain}} {\n@any status 2xx\nhandle_response @any {\nreverse_proxy {{.Upstream}}\n}\n}",
	"behind forward_auth":              "route {\nforward_auth {{.Plain}} {\nuri /\n}\nwxgate\nreverse_proxy {{.Upstream}}\n}",
	"with header_up":                   "wxgate\nreverse_proxy {{.Upstream}} {\nheader_up X-User {wxgate.openid}\nheader_up X-Sid {wxgate.session}\n}",
	"with the openid inside a value":   "wxgate\nreverse_proxy {{.Upstream}} {\nheader_up X-Caller \"{wxgate.appid}/{wxgate.openid}\"\nheader_up X-Log sid={wxgate.session}\n}",
	"with the openid in the URI":       "wxgate\nreverse_proxy {{.Upstream}} {\nrewrite /users/{wxgate.openid}/orders?sid={wxgate.session}\n}",
	"with the token":                   "wxgate {\ntoken_from header X-Ticket\nforward_token\n}\nreverse_proxy {{.Upstream}}",
	"with the token, unverified":       "wxgate {\npublic /orders\ntoken_from header X-Ticket\nforward_token\n}\nreverse_proxy {{.Upstream}}",
	"with the token in another header": "wxgate {\ntoken_from query ticket\nforward_token\n}\nreverse_proxy {{.Upstream}} {\nheader_up X-Uri {uri}\n}",
	"with the token in a path":         "wxgate {\ntoken_from query ticket\nforward_token\n}\nreverse_proxy {{.Upstream}} {\nrewrite /as/{http.request.uri.query.ticket}\n}",
	"with the token in the query":      "wxgate {\ntoken_from query ticket\nforward_token\n}\nreverse_proxy {{.Upstream}}",
	"with a health check":              "wxgate\nreverse_proxy {{.Upstream}} {\nhealth_uri /health\nhealth_interval 50ms\n}",
	"with retries":                     "wxgate\nreverse_proxy {{.Upstream}} {\nlb_retry_match {\nheader X-Retry yes\n}\n}",
	"with an assertion":                "wxgate {\nheaders {\nassertion X-WX-ASSERTION orders\n}\n}\nreverse_proxy {{.Upstream}}",
}

// TestUpstreamsThatBreakOffLeakNothing: reverse_proxy warns of an incomplete response, and the
// log line contains the request that it sent. Without redaction, anyone who reads the log of a
// gateway whose upstream crashed would know the openids of its users.
func TestUpstreamsThatBreakOffLeakNothing(t *testing.T) {
	for name, routes := range proxies {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, strings.Replace(loggingSite, "ROUTES", routes, 1))
			login := f.login("alice")
			f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					breakOff(w, r)
				}
			})
			token := login.str(t, "access_token")
			path, header := "/orders", []string{"X-Other", "shown", "X-Request-Id", "shown"}
			switch {
			case strings.Contains(routes, "query"):
				path += "?ticket=" + token
			case strings.Contains(routes, "X-Ticket"):
				header = append(header, "X-Ticket", token)
			default:
				header = append(header, "Authorization", "Bearer "+token)
			}
			a, err := f.try("GET", path, "", header...)
			if err == nil {
				t.Fatalf("the response did not break off: %+v", a)
			}
			eventually(t, "the warning", func() bool { return strings.Contains(f.log(), incomplete) })
			r := f.upstream.last(t)
			line := withoutAudit(f.log())
			for _, secret := range []string{wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"), token, r.Header.Get("X-Wx-Session"), r.Header.Get("X-Sid"), r.Header.Get("X-Wx-Assertion")} {
				if secret != "" && strings.Contains(line, secret) {
					t.Errorf("the log contains %q:\n%s", secret, line)
				}
			}
			all := strings.Contains(routes, "lb_retry_match") // which reads all headers
			for text, want := range map[string]bool{`"X-Request-Id":["shown"]`: true, `"X-Other":["shown"]`: all, `["REDACTED"]`: all} {
				if strings.Contains(line, text) != want {
					t.Errorf("%s in the log: want %t\n%s", text, want, line)
				}
			}
		})
	}
}

// php is a FastCGI server that reports the requests that it received, and breaks the
// connection in the middle of its response.
type php struct {
	net.Listener

	received chan *http.Request

	mu   sync.Mutex
	conn net.Conn
}

func newPHP(t *testing.T) *php {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &php{Listener: listener, received: make(chan *http.Request, 1)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = fcgi.Serve(p, p)
	}()
	t.Cleanup(func() { _ = listener.Close(); <-served })
	return p
}

func (p *php) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
	return conn, err
}

func (p *php) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.received <- r
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write(make([]byte, 100))
	_ = http.NewResponseController(w).Flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.conn.Close()
}

// TestFastCGILeaksNothing is the same test for php_fastcgi, which also sends PHP the client's
// original URI: without the token.
func TestFastCGILeaksNothing(t *testing.T) {
	p := newPHP(t)
	f := newFixture(t, strings.Replace(loggingSite, "ROUTES", "root {{.Dir}}\nwxgate {\ntoken_from query ticket\n}\nphp_fastcgi "+p.Addr().String()+" {\ntry_files index.php\n}", 1))
	if err := os.WriteFile(filepath.Join(f.dir, "index.php"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := f.try("GET", "/orders?a=1&ticket="+f.token("alice")+"&b=2", ""); err == nil {
		t.Fatalf("the response did not break off: %+v", a)
	}
	r, openid := <-p.received, wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	if got := r.Header.Get("X-Wx-Openid"); got != openid {
		t.Errorf("PHP received the openid %q", got)
	}
	if got := r.URL.RequestURI(); got != "/orders?a=1&b=2" {
		t.Errorf("PHP received the URI %q", got)
	}
	eventually(t, "the warning", func() bool { return strings.Contains(f.log(), incomplete) })
	if log := f.log(); strings.Contains(log, openid) {
		t.Errorf("the log contains the openid:\n%s", log)
	}
}

// TestClientsWhoLeaveLeakNothing: a client that closes its connection in the middle of a
// response, and a session that is revoked while its stream is open, cause the same warning.
func TestClientsWhoLeaveLeakNothing(t *testing.T) {
	f := newFixture(t, strings.Replace(loggingSite, "ROUTES", "wxgate\nreverse_proxy {{.Upstream}}", 1))
	free := make(chan struct{}, 2)
	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		free <- struct{}{}
	})
	for name, leave := range map[string]func(token string, cancel context.CancelFunc){
		"alice": func(_ string, cancel context.CancelFunc) { cancel() },
		"bob": func(token string, _ context.CancelFunc) {
			f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+token).want(t, http.StatusNoContent, "")
		},
	} {
		f.stream(f.token(name), leave)
		<-free // the upstream's connection is released
	}
	eventually(t, "two warnings", func() bool { return strings.Count(f.log(), incomplete) == 2 })
	for _, user := range []string{"alice", "bob"} {
		if log := f.log(); strings.Contains(log, wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, user)) {
			t.Errorf("the log contains %s's openid:\n%s", user, log)
		}
	}
}

// stream opens a stream, ends it, and reads the rest.
func (f *fixture) stream(token string, end func(token string, cancel context.CancelFunc)) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/events", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := f.client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	end(token, cancel)
	if text, err := io.ReadAll(response.Body); err == nil {
		f.t.Errorf("the stream ended as if it were complete: %q", text)
	}
}

// TestTransportHasOptionalMethods: reverse_proxy calls methods that a transport may or may not
// have. A method that Caddy adds and the wrapper lacks would change how requests are sent.
func TestTransportHasOptionalMethods(t *testing.T) {
	wrapper := reflect.TypeFor[*proxylog.Transport]()
	own := map[string]bool{ // for the transport's life cycle or the Caddyfile adapter
		"CaddyModule": true, "Cleanup": true, "NewTransport": true, "SetScheme": true,
		"EnableH2C": true, "EnableTLS": true, "TLSEnabled": true, "UnmarshalCaddyfile": true,
	}
	for _, transport := range []reflect.Type{reflect.TypeFor[*reverseproxy.HTTPTransport](), reflect.TypeFor[*fastcgi.Transport]()} {
		for method := range transport.Methods() {
			if _, ok := wrapper.MethodByName(method.Name); !ok && !own[method.Name] {
				t.Errorf("%s has the method %s, and the wrapper does not", transport, method.Name)
			}
		}
	}
}

// TestTransportOption: by default wxgate sends plain requests itself, and never twice.
// Caddy's transport repeats a GET whose connection breaks, which shows that it is in use.
func TestTransportOption(t *testing.T) {
	for option, want := range map[string]int{"": 1, "transport wxgate": 1, "transport standard": 2} {
		t.Run(option, func(t *testing.T) {
			f := newFixture(t, siteWith{wxgate: option, store: "memory"}.String())
			var orders atomic.Int64
			f.upstream.respondWith(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/order" && orders.Add(1) == 1 {
					panic(http.ErrAbortHandler)
				}
			})
			bearer := []string{"Authorization", "Bearer " + f.token("alice")}
			f.do(http.MethodGet, "/first", "", bearer...)
			f.do(http.MethodGet, "/order", "", bearer...)
			if n := int(orders.Load()); n != want {
				t.Errorf("the upstream received the request %d times, want %d", n, want)
			}
		})
	}
}

// TestRetryMatchReadsHeaders: lb_retry_match matches the request that reverse_proxy sent, and
// sees all of its headers.
func TestRetryMatchReadsHeaders(t *testing.T) {
	f := newFixture(t, siteWith{store: "memory", sites: `
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}} {
		lb_retries 3
		lb_retry_match {
			header X-Repeatable yes
			expression "{rp.status_code} == 503"
		}
	}
}`}.String())
	var sent atomic.Int64
	f.upstream.respondWith(func(w http.ResponseWriter, _ *http.Request) {
		if sent.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	bearer := []string{"Authorization", "Bearer " + f.token("alice")}
	f.do("GET", "/orders", "", append(bearer, "X-Repeatable", "yes")...).want(t, http.StatusOK, "")
	sent.Store(0)
	f.do("GET", "/orders", "", bearer...).want(t, http.StatusServiceUnavailable, "")
}

// withoutAudit removes the lines of the audit log, which names sessions.
func withoutAudit(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"logger":"wxgate.audit"`) {
			b.WriteString(line)
		}
	}
	return b.String()
}
