package caddymodule_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// openAPISite has two mini programs, and wxgate_openapi for both on Addr, and for a few paths of
// the first on a Unix socket. MORE is replaced by options of the former.
const openAPISite = `
{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	log {
		output file {{.Dir}}/log
		level DEBUG
	}
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api WECHAT
		}
		app wx0000000000000002 {env.WXGATE_TEST_SECRET} {
			api WECHAT
		}
		store memory
	}
}
http://{{.Addr}}, http://api.weixin.qq.com:PORT {
	bind ADDR
	log
	wxgate_openapi {
		MORE
	}
}
http://localhost {
	bind unix/{{.Dir}}/openapi.sock
	wxgate_openapi {
		app wx0000000000000001
		allow /wxa/echo /cgi-bin/*
	}
}
`

// wechat is a fixture whose simulator has two apps and additional endpoints.
type wechat struct {
	*fixture
	mux *http.ServeMux
}

func newWeChat(t *testing.T, more, bind string) *wechat {
	t.Helper()
	secret := wechatsim.DefaultApp.Secret
	apps := []wechatsim.App{wechatsim.DefaultApp, {ID: "wx0000000000000002", Secret: secret}}
	f := newStoppedFixture(t, wechatsim.Config{Apps: apps}, "")
	w := &wechat{fixture: f, mux: http.NewServeMux()}
	w.mux.Handle("/", f.sim.Sim.API())
	w.mux.HandleFunc("/wxa/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-From-Wechat", "yes")
		w.Header().Set("Connection", "x-hop")
		w.Header().Set("X-Hop", "1")
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(w, "%s %s\n%v\n%d %s", r.Method, r.URL.RequestURI(), r.Header, r.ContentLength, body)
	})
	server := httptest.NewServer(w.mux)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	f.config = strings.NewReplacer("WECHAT", server.URL, "MORE", more, "PORT", port, "ADDR", bind).Replace(openAPISite)
	f.load()
	return w
}

// TestOpenAPI makes a call that needs WeChat's access token.
func TestOpenAPI(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	phone := func() response {
		code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{}, wechatsim.PhoneNumber{Number: "10012345678"})
		if err != nil {
			t.Fatal(err)
		}
		return f.do("POST", "/wxa/business/getuserphonenumber", fmt.Sprintf(`{"code":%q}`, code.Code), "X-WX-APPID", firstApp)
	}
	for range 2 {
		a := phone()
		a.want(t, http.StatusOK, "")
		if !strings.Contains(a.body, "10012345678") || a.header.Get("Content-Type") != "text/plain" {
			t.Fatalf("got %v %s", a.header, a.body)
		}
	}
	if got := f.sim.Sim.Count("/cgi-bin/stable_token"); got != 1 {
		t.Errorf("two calls fetched %d tokens", got)
	}
	f.sim.Sim.ExpireTokens()
	if a := phone(); !strings.Contains(a.body, "10012345678") {
		t.Errorf("after the token expired: %s", a.body)
	}
	if got := f.sim.Sim.Count("/cgi-bin/stable_token"); got != 2 {
		t.Errorf("after the token expired there were %d fetches, want 2", got)
	}
	for _, r := range f.sim.Sim.Requests("/cgi-bin/stable_token") {
		if strings.Contains(r.Body, "force_refresh") {
			t.Errorf("force_refresh was sent: %s", r.Body)
		}
	}
	// Errors of WeChat are returned unchanged.
	a := f.do("POST", "/wxa/business/getuserphonenumber", `{"code":"x"}`, "X-WX-APPID", firstApp)
	if a.want(t, http.StatusOK, ""); !strings.Contains(a.body, "40029") {
		t.Errorf("got %s", a.body)
	}
	log, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.sim.Sim.Requests("/wxa/business/getuserphonenumber") {
		if token := r.Query.Get("access_token"); len(token) < 100 || bytes.Contains(log, []byte(token)) {
			t.Errorf("the log contains the access token %q", token)
		}
	}
}

// TestOpenAPIPassesOn: WeChat gets only the headers that it needs, and the caller gets the whole
// response.
func TestOpenAPIPassesOn(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	a := f.do("POST", "/wxa/echo?x=%2F&y=1", "body", "X-WX-APPID", "wx0000000000000002", "Content-Type", "a/b",
		"Cookie", "c=1", "X-WX-OPENID", "o", "Traceparent", "t", "Connection", "content-type", "Wechatmp-Signature", "s")
	a.want(t, http.StatusAccepted, "")
	if a.header.Get("X-From-Wechat") != "yes" || a.header.Get("X-Hop") != "" {
		t.Errorf("headers %v", a.header)
	}
	for _, want := range []string{"POST /wxa/echo?access_token=", "&x=%2F&y=1\n", "Content-Type:[a/b]", "Wechatmp-Signature:[s]", "\n4 body"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %q in the request to WeChat:\n%s", want, a.body)
		}
	}
	for _, not := range []string{"Cookie", "X-Wx", "Traceparent", "Accept-Encoding", "X-Forwarded"} {
		if strings.Contains(a.body, not) {
			t.Errorf("%q in the request to WeChat:\n%s", not, a.body)
		}
	}
	if got := f.sim.Sim.Requests("/cgi-bin/stable_token"); len(got) != 1 || !strings.Contains(got[0].Body, "wx0000000000000002") {
		t.Errorf("the token is another app's: %v", got)
	}
}

func TestOpenAPIRefuses(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	app := []string{"X-WX-APPID", firstApp}
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
		code               string
	}{
		{"no app", "POST", "/wxa/echo", nil, 400, "invalid_request"},
		{"two apps", "POST", "/wxa/echo", append(app, app...), 400, "invalid_request"},
		{"unknown app", "POST", "/wxa/echo", []string{"X-WX-APPID", "wxffffffffffffffff"}, 400, "unknown_app"},
		{"token", "POST", "/wxa/echo?access_token=x", app, 400, "invalid_request"},
		{"token, escaped", "POST", "/wxa/echo?%61ccess_token=x", app, 400, "invalid_request"},
		{"token in capitals", "POST", "/wxa/echo?Access_Token=x", app, 400, "invalid_request"},
		{"token after a space", "POST", "/wxa/echo?+access_token=x", app, 400, "invalid_request"},
		{"token behind a semicolon", "POST", "/wxa/echo?a=1;access_token=x", app, 400, "invalid_request"},
		{"token as PHP reads it", "POST", "/wxa/echo?access.token[]=x", app, 400, "invalid_request"},
		{"token with a bracket", "POST", "/wxa/echo?access[token=x", app, 400, "invalid_request"},
		{"token before a NUL", "POST", "/wxa/echo?access_token%00=x", app, 400, "invalid_request"},
		{"secret", "POST", "/wxa/echo?a=1&secret=x", app, 400, "invalid_request"},
		{"appsecret", "POST", "/wxa/echo?appsecret=x", app, 400, "invalid_request"},
		{"undecodable", "POST", "/wxa/echo?%zz=x", app, 400, "invalid_request"},
		{"Authorization", "POST", "/wxa/echo", append(app, "Authorization", "Bearer x"), 400, "invalid_request"},
		{"Proxy-Authorization", "POST", "/wxa/echo", append(app, "Proxy-Authorization", "Basic x"), 400, "invalid_request"},
		{"login", "GET", "/sns/jscode2session", app, 403, "forbidden"},
		{"call that returns a token", "GET", "/cgi-bin/token", app, 403, "forbidden"},
		{"call that returns a token, in capitals", "GET", "/cgi-bin/Token", app, 403, "forbidden"},
		{"call that returns a token, with a slash", "GET", "/cgi-bin/token/", app, 403, "forbidden"},
		{"stable token", "POST", "/cgi-bin/stable_token", app, 403, "forbidden"},
		{"component", "POST", "/cgi-bin/component/api_component_token", app, 403, "forbidden"},
		{"session key", "GET", "/wxa/resetusersessionkey", app, 403, "forbidden"},
		{"another path", "GET", "/pay/unifiedorder", app, 403, "forbidden"},
		{"root", "GET", "/", app, 403, "forbidden"},
		{"dots", "POST", "/wxa/../cgi-bin/token", app, 400, "invalid_request"},
		{"escaped dots", "POST", "/wxa/%2e%2e/cgi-bin/token", app, 400, "invalid_request"},
		{"escaped slash", "POST", "/wxa/..%2fsns", app, 400, "invalid_request"},
		{"double slash", "POST", "/wxa//echo", app, 400, "invalid_request"},
		{"path parameter", "POST", "/wxa/echo;x", app, 400, "invalid_request"},
		{"method", "DELETE", "/wxa/echo", app, 405, "invalid_request"},
		{"CONNECT-like", "TRACE", "/wxa/echo", app, 405, "invalid_request"},
		{"upgrade", "GET", "/wxa/echo", append(app, "Connection", "upgrade", "Upgrade", "websocket"), 400, "invalid_request"},
		{"a web page", "POST", "/wxa/echo", append(app, "Origin", "https://evil.example"), 403, "forbidden"},
		{"a web page's image", "GET", "/wxa/echo", append(app, "Sec-Fetch-Site", "cross-site"), 403, "forbidden"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.do(tc.method, tc.path, "", tc.header...)
			a.want(t, tc.status, tc.code)
			if a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("a challenge, although no token is accepted here: %v", a.header)
			}
		})
	}
	if got := f.sim.Sim.Count(); got != 0 {
		t.Errorf("WeChat got %d requests", got)
	}
}

// TestOpenAPIForms: a form, which frameworks read like a query, may not contain a credential
// either. Any other body is sent unchanged.
func TestOpenAPIForms(t *testing.T) {
	f := newWeChat(t, "app "+firstApp, "127.0.0.1")
	const form = "application/x-www-form-urlencoded"
	for _, tc := range []struct{ name, kind, body, code string }{
		{"a token", form, "a=1&access_token=x", "invalid_request"},
		{"a token, escaped", "Application/X-WWW-Form-Urlencoded ; charset=utf-8", "%61ccess%5Ftoken=x", "invalid_request"},
		{"a secret behind a semicolon", form, "a=1;secret=x", "invalid_request"},
		{"a form that is too long", form, "a=" + strings.Repeat("x", 1<<20), "invalid_request"},
		{"JSON with curl's default Content-Type", form, `{"content":"x=1; access_token"}`, ""},
		{"JSON", "application/json", `{"content":"&access_token=x"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.do("POST", "/wxa/echo", tc.body, "Content-Type", tc.kind, "Content-Encoding", "identity")
			if tc.code != "" {
				a.want(t, http.StatusBadRequest, tc.code)
				return
			}
			a.want(t, http.StatusAccepted, "")
			if !strings.HasSuffix(a.body, fmt.Sprintf("\n%d %s", len(tc.body), tc.body)) || !strings.Contains(a.body, "Content-Encoding:[identity]") {
				t.Errorf("WeChat got %s", a.body)
			}
		})
	}
}

// TestOpenAPIOnASocket calls the site on a Unix socket, which has one app and its own list of
// paths.
func TestOpenAPIOnASocket(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	socket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(f.dir, "openapi.sock"))
	}}
	defer socket.CloseIdleConnections()
	f.client, f.url = &http.Client{Transport: socket}, "http://localhost"
	f.do("GET", "/wxa/echo", "").want(t, http.StatusAccepted, "")
	f.do("GET", "/wxa/other", "").want(t, http.StatusForbidden, "forbidden")
	f.do("GET", "/cgi-bin/token", "").want(t, http.StatusForbidden, "forbidden")
	f.do("GET", "/wxa/echo", "", "X-WX-APPID", "wx0000000000000002").want(t, http.StatusBadRequest, "unknown_app")
}

// TestOpenAPIAsAProxy: an upstream that was written for Cloud Hosting calls
// http://api.weixin.qq.com, with http_proxy set to wxgate_openapi.
func TestOpenAPIAsAProxy(t *testing.T) {
	f := newWeChat(t, "app "+firstApp, "127.0.0.1")
	conn := sendRaw(t, f.addr, "GET http://api.weixin.qq.com/wxa/echo?a=1 HTTP/1.1\r\nHost: api.weixin.qq.com\r\nConnection: close\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 202 ")) || !bytes.Contains(text, []byte("GET /wxa/echo?access_token=")) {
		t.Fatalf("%v: %s", err, text)
	}
}

// TestOpenAPIRebinding: DNS rebinding. The name of a malicious web site resolves to loopback, and
// its page sends a same-origin GET, which has no header Origin.
//
//	GET /cgi-bin/get_api_domain_ip HTTP/1.1
//	Host: rebound.evil.example:8081
func TestOpenAPIRebinding(t *testing.T) {
	f := newWeChat(t, "app "+firstApp, "127.0.0.1")
	_, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	f.config = strings.Replace(f.config, "http://{{.Addr}}, http://api.weixin.qq.com:"+port, "http://:"+port, 1)
	f.stop() // at a reload, the old server may accept a connection and close it
	f.load()
	for host, want := range map[string]int{
		"rebound.evil.example:" + port: 403, "evil.example": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "evil.example.": 403, "weixin.qq.com.evil.example": 403, "evilweixin.qq.com": 403,
		f.addr: 202, "127.0.0.1": 202, "[::1]:" + port: 202, "localhost": 202, "LOCALHOST:" + port: 202, "wxgate:" + port: 202, "a.localhost": 202, "wxgate.internal": 202, "api.weixin.qq.com": 202,
	} {
		conn := sendRaw(t, f.addr, "GET /wxa/echo HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != want {
			t.Errorf("Host %s: %v %v, want %d", host, response, err, want)
		}
		_ = conn.Close()
	}
}

// outside returns an address of this machine that is not loopback, or "".
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return ""
}

// TestOpenAPIBeyondLoopback: a site that listens on every address serves connections to loopback
// only, unless it has expose insecure. On a machine without another address, only loopback is
// tested.
func TestOpenAPIBeyondLoopback(t *testing.T) {
	ip := outside(t)
	for name, tc := range map[string]struct {
		more   string
		status int
		code   string
	}{
		"default": {"", http.StatusForbidden, "forbidden"},
		"exposed": {"expose insecure", http.StatusAccepted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newWeChat(t, tc.more, "0.0.0.0")
			host := f.addr
			f.do("GET", "/wxa/echo", "", "X-WX-APPID", firstApp).want(t, http.StatusAccepted, "")
			if ip == "" {
				return
			}
			_, port, _ := net.SplitHostPort(f.addr)
			dialer := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(ip, port))
			}}
			defer dialer.CloseIdleConnections()
			f.client, f.url = &http.Client{Transport: dialer}, "http://"+host
			f.do("GET", "/wxa/echo", "", "X-WX-APPID", firstApp).want(t, tc.status, tc.code)
		})
	}
}

// TestOpenAPIStreams sends 20 MB in both directions, and reads the first half of a response before
// the second is written.
func TestOpenAPIStreams(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	const size = 20 << 20
	data := make([]byte, size)
	_, _ = rand.Read(data)
	f.mux.HandleFunc("/cgi-bin/media/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		_, _ = fmt.Fprintf(w, `{"n":%d,"sum":"%x","length":%d}`, n, sum.Sum(nil), r.ContentLength)
	})
	a := f.do("POST", "/cgi-bin/media/upload", string(data), "X-WX-APPID", firstApp)
	if want := fmt.Sprintf(`{"n":%d,"sum":"%x","length":%d}`, size, sha256.Sum256(data), size); a.body != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
	more := make(chan struct{})
	f.mux.HandleFunc("/cgi-bin/media/get", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(data[:size/2])
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = w.Write(data[size/2:])
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", f.url+"/cgi-bin/media/get", nil)
	r.Header.Set("X-WX-APPID", firstApp)
	response, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := make([]byte, size)
	if _, err := io.ReadFull(response.Body, got[:size/2]); err != nil {
		t.Fatal(err)
	}
	close(more)
	if _, err := io.ReadFull(response.Body, got[size/2:]); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the response differs from what WeChat sent: %v", err)
	}
}

// TestOpenAPIBrokenResponse: a truncated response of WeChat is an error for the caller.
func TestOpenAPIBrokenResponse(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	f.mux.HandleFunc("/wxa/half", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", "100000")
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 50_000))
		_ = http.NewResponseController(w).Flush()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	for _, path := range []string{"/wxa/half?length", "/wxa/half"} {
		a, err := f.try("GET", path, "", "X-WX-APPID", firstApp)
		if err == nil {
			t.Errorf("%s: a truncated response looks complete: %d bytes, %v", path, len(a.body), a.header)
		}
	}
	a := f.do("POST", "/wxa/echo", strings.Repeat("x", 2<<20), "X-WX-APPID", firstApp, "Expect", "100-continue")
	a.want(t, http.StatusAccepted, "")
}

// TestOpenAPILength: WeChat requires Content-Length, which a short body without one gets. A long
// body without one is refused.
func TestOpenAPILength(t *testing.T) {
	f := newWeChat(t, "", "127.0.0.1")
	for size, want := range map[int]int{1000: http.StatusAccepted, 1<<20 + 1: http.StatusLengthRequired} {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", f.url+"/wxa/echo", struct{ io.Reader }{bytes.NewReader(make([]byte, size))})
		r.Header.Set("X-WX-APPID", firstApp)
		response, err := f.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d bytes in chunks: %d, want %d", size, response.StatusCode, want)
		}
		if want == http.StatusAccepted && !bytes.Contains(body, []byte("\n1000 ")) {
			t.Errorf("WeChat got no Content-Length:\n%.300s", body)
		}
	}
}
