package wechat_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]wechat.Config{
		"no appid":            {Secret: "s"},
		"invalid appid":       {AppID: "wx 1", Secret: "s"},
		"no secret":           {AppID: app},
		"negative age":        {AppID: app, Secret: "s", Watermark: -1},
		"api only a path":     {AppID: app, Secret: "s", API: "/SECRET"},
		"api ftp":             {AppID: app, Secret: "s", API: "ftp://SECRET"},
		"api without host":    {AppID: app, Secret: "s", API: "https:///SECRET"},
		"api with a query":    {AppID: app, Secret: "s", API: "https://a/?key=SECRET"},
		"api not a URL":       {AppID: app, Secret: "s", API: "https://SECRET\x7f"},
		"api with a user":     {AppID: app, Secret: "s", API: "https://u:SECRET@a/"},
		"api with a fragment": {AppID: app, Secret: "s", API: "https://a/#SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.New(cfg)
			wantErr(t, err, auth.ErrAppMisconfigured)
		})
	}
}

func TestNewDefaultsToWeChat(t *testing.T) {
	t.Parallel()
	var asked string
	client := mustClient(t, wechat.Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
		return nil, io.EOF
	})})
	_, err := client.Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrWeChatUnreachable)
	if asked != "https://api.weixin.qq.com/sns/jscode2session" {
		t.Fatalf("asked %s", asked)
	}
}

// TestAPIMayHaveAPath: the paths of all calls are below the path of the API's URL, as TCMPP
// requires.
func TestAPIMayHaveAPath(t *testing.T) {
	t.Parallel()
	const below = "/openserver"
	p := newPlatform().on(below+loginPath, respond(goodLogin)).on(below+tokenPath, respond(goodToken)).on(below+phonePath, respond(goodPhone)).
		on(below+checkPath, respond(`{"errcode":0}`)).on(below+knownPath, respond(`{"errcode":0,"vaild":true}`)).
		on(below+resetPath, respond(`{"errcode":0,"openid":"`+string(openid)+`","session_key":"`+sampleKey+`"}`)).on(below+"/wxa/msg_sec_check", respond(`{"errcode":0}`))
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	client, key := mustClient(t, wechat.Config{API: server.URL + below + "/", CheckPhone: true}), auth.SessionKey{Key: sampleKey}
	_, login := client.Exchange(t.Context(), code)
	_, phone := client.PhoneNumber(t.Context(), code, openid)
	_, reset := client.ResetSessionKey(t.Context(), openid, key)
	response, forward := client.Forward(t.Context(), wechat.Outgoing{Method: http.MethodPost, Path: "/wxa/msg_sec_check", Body: strings.NewReader("{}"), Length: 2})
	if forward == nil {
		_ = response.Body.Close()
	}
	for name, err := range map[string]error{
		loginPath: login, phonePath: phone, resetPath: reset, "/wxa/msg_sec_check": forward,
		checkPath: client.CheckSession(t.Context(), openid, key),
		knownPath: client.CheckPhone(t.Context(), auth.OpenData{EncryptedData: "AAAAAAAAAAAAAAAAAAAAAA==", IV: "AAAAAAAAAAAAAAAAAAAAAA=="}),
	} {
		wantErr(t, err, nil)
		wantCalls(t, p, below+name, 1)
		wantCalls(t, p, name, 0)
	}
	wantCalls(t, p, below+tokenPath, 1)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// errReader is a body that ends in an error.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// For every failure of net/http, the error has its class and quotes nothing of the request. The
// errors in this test quote the URL, as some of the standard library and of proxies may.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	const leak = "https://api.weixin.qq.com/sns/jscode2session?secret=SECRET"
	inURL := func(err error) error { return &url.Error{Op: "Get", URL: leak, Err: err} }
	for name, row := range map[string]struct {
		err, body error
		want      error
		text      string
	}{
		"refused":            {err: inURL(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), want: auth.ErrWeChatUnreachable, text: "connection refused"},
		"reset":              {err: inURL(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), want: auth.ErrWeChatUnreachable, text: "reset"},
		"DNS":                {err: inURL(&net.DNSError{Err: "no such host", Name: "api.weixin.qq.com", IsNotFound: true}), want: auth.ErrWeChatUnreachable, text: "no such host"},
		"DNS timeout":        {err: inURL(&net.DNSError{Err: "timeout", Name: "api.weixin.qq.com", IsTimeout: true}), want: auth.ErrWeChatTimeout, text: "api.weixin.qq.com"},
		"dial timeout":       {err: inURL(&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}), want: auth.ErrWeChatTimeout, text: "timeout"},
		"certificate":        {err: inURL(x509.UnknownAuthorityError{}), want: auth.ErrWeChatUnreachable, text: "no HTTP response"},
		"EOF":                {err: inURL(io.EOF), want: auth.ErrWeChatUnreachable, text: "closed"},
		"malformed":          {err: errors.New("malformed HTTP response " + leak), want: auth.ErrWeChatUnreachable, text: "no HTTP response"},
		"truncated body":     {body: io.ErrUnexpectedEOF, want: auth.ErrWeChatUnreadable, text: "closed"},
		"body reset":         {body: &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, want: auth.ErrWeChatUnreadable, text: "reset"},
		"unknown body error": {body: errors.New(leak), want: auth.ErrWeChatUnreadable, text: "no HTTP response"},
		"body too slow":      {body: context.DeadlineExceeded, want: auth.ErrWeChatTimeout},
		"body I/O timeout":   {body: &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, want: auth.ErrWeChatTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := mustClient(t, wechat.Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if row.err != nil {
					return nil, row.err
				}
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(errReader{row.body})}, nil
			})})
			_, err := client.Exchange(t.Context(), code)
			wantErr(t, err, row.want)
			if !strings.Contains(err.Error(), row.text) {
				t.Fatalf("got %v, want it to contain %q", err, row.text)
			}
			_, err = client.PhoneNumber(t.Context(), code, openid)
			wantErr(t, err, row.want)
		})
	}
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(newPlatform().on(loginPath, respond(goodLogin)))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	_, err := mustClient(t, wechat.Config{API: server.URL}).Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrWeChatUnreachable)
	if !strings.Contains(err.Error(), "certificate not trusted") {
		t.Fatalf("got %v", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	remotes := map[string]bool{}
	p := newPlatform().on(loginPath, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		respond(goodLogin)(w, r)
	})
	client := dial(t, p)
	for range 5 {
		_, err := client.Exchange(t.Context(), code)
		wantErr(t, err, nil)
	}
	if len(remotes) != 1 {
		t.Fatalf("%d connections for 5 calls", len(remotes))
	}
}

func TestCloseEndsConnections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(newPlatform().on(loginPath, respond(goodLogin)))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := mustClient(t, wechat.Config{API: server.URL})
	_, err := client.Exchange(t.Context(), code)
	wantErr(t, err, nil)
	client.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second): // shorter than idleTime
		t.Fatal("the connection is kept")
	}
}

// A body that trickles in is cut off by the deadline of the whole call.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	started := time.Now()
	p := newPlatform().on(loginPath, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	_, err := dial(t, p).Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrWeChatTimeout)
	if took := time.Since(started); took < 4*time.Second || took > 10*time.Second {
		t.Fatalf("took %v", took)
	}
}

// TestScope: two spellings of a host are the same host, and another port is another host.
func TestScope(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"":                               "api.weixin.qq.com",
		"https://API.weixin.qq.com:443/": "api.weixin.qq.com",
		"http://127.0.0.1:9901":          "127.0.0.1:9901",
		"http://[::1]:80/path":           "::1",
	} {
		c, err := wechat.New(wechat.Config{AppID: "wx0000000000000001", Secret: "s", API: api})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Scope(); got.API != want || got.Platform != "wechat" {
			t.Errorf("%q: %+v, want %s", api, got, want)
		}
		c.Close()
	}
}
