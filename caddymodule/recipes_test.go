package caddymodule_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const recipesPage = "recipes.md"

// TestRecipeH2C: a request over HTTP/1.1 is sent to the upstream over HTTP/2.
func TestRecipeH2C(t *testing.T) {
	f := newFixture(t, guideCaddyfile(t, recipesPage, "## An upstream with HTTP/2 but without TLS"))
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	f.do("POST", "/orders", "body", "Authorization", bearer, "X-WX-OPENID", "victim", "X_WX_OPENID", "victim").want(t, http.StatusOK, "")
	if r := f.upstream.last(t); r.Proto != "HTTP/2.0" || !identifies(r, login.str(t, "openId")) {
		t.Errorf("the upstream got %s %v", r.Proto, r.Header)
	}
	f.do("GET", "/orders", "", "Authorization", bearer, "Upgrade", "h2c", "Connection", "Upgrade").want(t, http.StatusBadRequest, "invalid_request")
}

// identifies reports whether a request has the identity header once, in any spelling, with this
// openid.
func identifies(r *http.Request, openid string) bool {
	var found []string
	for name, values := range r.Header {
		if strings.EqualFold(strings.NewReplacer("_", "-", ".", "-").Replace(name), "x-wx-openid") {
			found = append(found, values...)
		}
	}
	return len(found) == 1 && found[0] == openid
}

// TestRecipeNDJSON: the client gets each line when it is written, and the stream ends with the
// session.
func TestRecipeNDJSON(t *testing.T) {
	f := newFixture(t, guideCaddyfile(t, recipesPage, "## NDJSON and other streams"))
	next := make(chan struct{})
	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for {
			if _, err := io.WriteString(w, "{}\n"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", bearer)
	r.Header.Set("X-WX-OPENID", "victim")
	response, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	for i := range 3 {
		if line, err := lines.ReadString('\n'); err != nil || line != "{}\n" { // before the next line is written
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
		next <- struct{}{}
	}
	if sent := f.upstream.last(t); !identifies(sent, login.str(t, "openId")) {
		t.Errorf("the upstream got %v", sent.Header)
	}
	f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	if _, err := io.Copy(io.Discard, lines); err == nil {
		t.Error("the stream ended without an error")
	}
}

// TestRecipeUpload: an upload reaches the service while the client sends it, a body over the limit
// is refused, and no body of a client without a token reaches the service.
func TestRecipeUpload(t *testing.T) {
	const limit = "max_size 1GB"
	config := guideCaddyfile(t, recipesPage, "## Large uploads")
	if strings.Count(config, limit) != 1 {
		t.Fatalf("the recipe has no %q", limit)
	}
	service, addr := newUploads(t)
	f := newFixture(t, strings.NewReplacer(limit, "max_size 8MB", "{{.Upstream}}", addr).Replace(config))
	login := f.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")

	body, sender := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/upload", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", bearer)
	r.Header.Set("X-WX-OPENID", "victim")
	status := make(chan int, 1)
	go func() {
		response, err := f.client.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	part := bytes.Repeat([]byte("x"), 1<<20)
	for range 4 {
		if _, err := sender.Write(part); err != nil {
			t.Fatal(err)
		}
		select {
		case <-service.parts: // the service has read the part before the client sends the rest
		case got := <-status:
			t.Fatalf("the upload ended with status %d", got)
		}
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != http.StatusOK {
		t.Errorf("the upload: status %d", got)
	}
	if sent := <-service.requests; sent == nil || !identifies(sent, login.str(t, "openId")) {
		t.Errorf("the service got %v", sent.Header)
	}

	tooLarge := strings.Repeat("x", 9<<20)
	if a := f.do("POST", "/upload", tooLarge, "Authorization", bearer); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body over the limit: %d %s", a.status, a.body)
	}
	began := len(service.requests) // the request that was too large may have begun
	f.do("POST", "/upload", "x").want(t, http.StatusUnauthorized, "missing_token")
	if len(service.requests) != began {
		t.Error("a request without a token reached the service")
	}
}

// uploads is a service that reports each part of a body that it has read.
type uploads struct {
	parts    chan struct{} // one for each MiB
	requests chan *http.Request
}

// newUploads starts the service.
func newUploads(t *testing.T) (u *uploads, addr string) {
	t.Helper()
	u = &uploads{parts: make(chan struct{}, 16), requests: make(chan *http.Request, 8)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		u.requests <- r
		for {
			if _, err := io.CopyN(io.Discard, r.Body, 1<<20); err != nil {
				return // 200, or the request is canceled
			}
			u.parts <- struct{}{}
		}
	}))
	t.Cleanup(server.Close)
	return u, strings.TrimPrefix(server.URL, "http://")
}
