package caddymodule_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// openSite proxies over HTTP/1.1, h2c, TLS and FastCGI, and serves files.
const openSite = `
{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system {{.Dir}}/caddy
	log {
		output file {{.Dir}}/log
	}
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store memory
	}
}
(site) {
	bind 127.0.0.1
	log
	# Caddy logs how much of a body was read, while its transport may still count.
	@bodies method POST
	log_skip @bodies
	wxgate {
		stream_grace 2s
	}
	reverse_proxy /h1/* <plain>
	reverse_proxy /h2c/* h2c://<plain>
	reverse_proxy /tls/* https://<tls> {
		transport http {
			tls_insecure_skip_verify
		}
	}
	reverse_proxy /fastcgi/* <fastcgi> {
		transport fastcgi
	}
	root {{.Dir}}
	file_server
}
http://{{.Addr}} {
	import site
}
https://localhost:<port> {
	tls internal
	import site
}
`

// openUpstream serves responses that continue until the gateway ends them.
type openUpstream struct{ began, ended atomic.Int32 }

func (u *openUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.began.Add(1)
	defer u.ended.Add(1)
	control := http.NewResponseController(w)
	switch kind := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; kind {
	case "poll":
		<-r.Context().Done()
	case "upload":
		_, _ = io.Copy(io.Discard, r.Body)
	case "grpc":
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_ = control.Flush()
		for b := make([]byte, 100); ; {
			n, err := r.Body.Read(b)
			if _, failed := w.Write(b[:n]); failed != nil || err != nil {
				break
			}
			_ = control.Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	case "flood":
		for buf, err := make([]byte, 1<<16), error(nil); err == nil && r.Context().Err() == nil; {
			_, err = w.Write(buf)
		}
	case "download", "events":
		if kind == "events" {
			w.Header().Set("Content-Type", "text/event-stream")
		} else {
			w.Header().Set("Content-Length", "1000000000")
		}
		fallthrough
	default:
		for err := error(nil); err == nil && r.Context().Err() == nil; <-time.After(20 * time.Millisecond) {
			if _, err = io.WriteString(w, "{}\n"); err == nil {
				err = control.Flush()
			}
		}
	}
}

// trickle is a request body that never ends.
type trickle struct {
	stopped chan struct{}
	once    sync.Once // transports close a body more than once
}

func (b *trickle) Read(p []byte) (int, error) {
	select {
	case <-b.stopped:
		return 0, io.ErrClosedPipe
	case <-time.After(20 * time.Millisecond):
		return copy(p, "{}\n"), nil
	}
}

func (b *trickle) Close() error {
	b.once.Do(func() { close(b.stopped) })
	return nil
}

// outcome is how a response ended.
type outcome struct {
	name   string
	status int
	body   string // of a refusal
	err    error
	at     time.Time
}

func fetchOpen(ctx context.Context, client *http.Client, url, name, bearer string) outcome {
	out := outcome{name: name}
	var body io.Reader
	method := http.MethodGet
	if strings.HasSuffix(url, "/upload") || strings.HasSuffix(url, "/grpc") {
		method, body = http.MethodPost, &trickle{stopped: make(chan struct{})}
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return outcome{name: name, err: err}
	}
	r.Header.Set("Authorization", bearer)
	response, err := client.Do(r)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		out.status = response.StatusCode
		if out.status == http.StatusOK {
			_, err = io.Copy(io.Discard, response.Body)
		} else {
			var text []byte
			text, err = io.ReadAll(response.Body)
			out.body = string(text)
		}
	}
	out.err, out.at = err, time.Now()
	return out
}

// openFixture starts the upstreams and the gateway, and clients of each protocol.
func openFixture(t *testing.T) (f *fixture, u *openUpstream, url string, clients map[string]*http.Client) {
	t.Helper()
	u = new(openUpstream)
	plain, secure := httptest.NewUnstartedServer(u), httptest.NewUnstartedServer(u)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	secure.EnableHTTP2 = true
	secure.StartTLS()
	fast, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = fcgi.Serve(fast, u) }()
	t.Cleanup(func() { _ = fast.Close() })
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	f = newStoppedFixture(t, wechatsim.Config{}, "")
	_, port, err := net.SplitHostPort(f.plain)
	if err != nil {
		t.Fatal(err)
	}
	f.config = strings.NewReplacer("<plain>", plain.Listener.Addr().String(), "<tls>", secure.Listener.Addr().String(), "<fastcgi>", fast.Addr().String(), "<port>", port).Replace(openSite)
	f.load()
	waitForTLS(t, f.plain, "localhost")
	insecure := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
	h1 := &http.Transport{TLSClientConfig: insecure(), Protocols: new(http.Protocols)}
	h1.Protocols.SetHTTP1(true)
	h2 := &http.Transport{TLSClientConfig: insecure(), ForceAttemptHTTP2: true}
	// Responses that are not read must not keep others from beginning.
	h3 := &http3.Transport{TLSClientConfig: insecure(), QUICConfig: &quic.Config{InitialConnectionReceiveWindow: 1 << 24}}
	t.Cleanup(h1.CloseIdleConnections)
	t.Cleanup(h2.CloseIdleConnections)
	t.Cleanup(func() { _ = h3.Close() })
	return f, u, "https://localhost:" + port, map[string]*http.Client{"h1": {Transport: h1}, "h2": {Transport: h2}, "h3": {Transport: h3}}
}

// TestEveryResponseEnds opens every kind of response over every protocol on both sides, and
// logs out: after the grace period each response ends in an error that the client sees, and
// its request to the upstream ends too.
func TestEveryResponseEnds(t *testing.T) {
	const grace, slack = 2 * time.Second, 10 * time.Second
	f, u, url, clients := openFixture(t)
	bearer, other := "Bearer "+f.token("alice"), "Bearer "+f.token("alice")
	outcomes, stays := make(chan outcome, 100), make(chan outcome, 1)
	pending := map[string]bool{} // responses that have not ended
	for client, c := range clients {
		for _, path := range []string{"/h1", "/h2c", "/tls"} {
			for _, kind := range []string{"events", "ndjson", "download", "poll", "upload", "grpc"} {
				if kind == "grpc" && (client == "h1" || path == "/h1") {
					continue // needs HTTP/2 on both sides
				}
				name := client + path + " " + kind
				pending[name] = true
				go func() { outcomes <- fetchOpen(t.Context(), c, url+path+"/"+kind, name, bearer) }()
			}
		}
	}
	opened := int32(len(pending))
	go func() { stays <- fetchOpen(t.Context(), clients["h2"], url+"/h1/ndjson", "another session", other) }()
	eventually(t, "all requests are at the upstream", func() bool { return u.began.Load() == opened+1 })
	f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	revoked := time.Now()
	giveUp := time.After(grace + 3*slack)
	for range opened {
		select {
		case out := <-outcomes:
			delete(pending, out.name)
			took, within := out.at.Sub(revoked), grace+slack
			if strings.HasSuffix(out.name, "events") {
				within = streamEndsWithin
			}
			if took > within {
				t.Errorf("%s ended %v after its session", out.name, took)
			}
			refused := out.status == http.StatusUnauthorized && strings.Contains(out.body, "session_revoked")
			if !refused && (out.err == nil || errors.Is(out.err, io.EOF) && out.status == http.StatusOK) {
				t.Errorf("%s ended as if it were complete: %d %q %v", out.name, out.status, out.body, out.err)
			}
		case <-giveUp:
			t.Fatalf("%d of %d requests ended at the upstream; clients still wait for %v", u.ended.Load(), opened, slices.Sorted(maps.Keys(pending)))
		}
	}
	eventually(t, "the upstream's requests ended", func() bool { return u.ended.Load() == opened })
	select {
	case out := <-stays:
		t.Errorf("another session's response ended: %+v", out)
	default:
	}
	f.do("POST", pub+"/logout", "", "Authorization", other).want(t, http.StatusNoContent, "")
	<-stays
}

// TestReplicasEndResponses: a logout on one machine ends the session's responses on the other.
func TestReplicasEndResponses(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "stream_grace 1s")
	here.load()
	there := here.replica()
	u := new(openUpstream)
	here.upstream.respondWith(u.ServeHTTP)
	bearer := "Bearer " + here.token("alice")
	ended := make(chan outcome, 2)
	for _, kind := range []string{"ndjson", "poll"} {
		go func() { ended <- fetchOpen(t.Context(), client, there.url+"/"+kind, kind, bearer) }()
	}
	eventually(t, "both are at the upstream", func() bool { return u.began.Load() == 2 })
	here.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	for range 2 {
		select {
		case out := <-ended:
			if out.err == nil && out.status != http.StatusUnauthorized {
				t.Errorf("%s ended as if it were complete: %d", out.name, out.status)
			}
		case <-time.After(receivedWithin + 5*time.Second):
			t.Fatal("a response outlived its session on the other machine")
		}
	}
}
