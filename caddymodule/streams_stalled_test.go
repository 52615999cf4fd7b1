package caddymodule_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStalledResponsesEnd has clients that read nothing of the response, or do not send the
// rest of the request's body: their requests end with the session.
func TestStalledResponsesEnd(t *testing.T) {
	f, u, url, clients := openFixture(t)
	const huge = 1 << 32 // more than the size of all buffers; the file has no blocks
	file := filepath.Join(f.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, huge); err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + f.token("alice")
	var uris []string
	for name, c := range clients {
		for _, path := range []string{"/h1/flood", "/h2c/flood", "/fastcgi/flood", "/file"} {
			uri := path + "?" + name
			uris = append(uris, uri)
			response := send(t, c, http.MethodGet, url+uri, nil, bearer)
			if response.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", uri, response.Status)
			}
		}
		stalled, writer := io.Pipe()
		t.Cleanup(func() { _ = writer.Close() })
		go func() { _, _ = fetch(t.Context(), c, http.MethodPost, url+"/h1/upload", stalled, bearer) }()
		if _, err := writer.Write([]byte("the first part")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the uploads are at the upstream", func() bool { return int(u.began.Load()) == 4*len(clients) })
	f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	for _, uri := range uris {
		f.accessLine(uri)
	}
	eventually(t, "the upstream's requests ended", func() bool { return u.ended.Load() == u.began.Load() })
}

// send sends a request and does not read the body of the response.
func send(t *testing.T, c *http.Client, method, url string, body io.Reader, bearer string) *http.Response {
	t.Helper()
	response, err := fetch(t.Context(), c, method, url, body, bearer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func fetch(ctx context.Context, c *http.Client, method, url string, body io.Reader, bearer string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", bearer)
	return c.Do(r)
}

// TestUploadOutlivesItsToken sends a body for longer than the token is valid.
func TestUploadOutlivesItsToken(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), shortTokens)
	received := make(chan string, 1)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- string(body)
	}))
	t.Cleanup(service.Close)
	f.upstream.addr = service.Listener.Addr().String()
	f.load()
	bearer := "Bearer " + f.token("alice")
	body, writer := io.Pipe()
	go func() {
		_, _ = writer.Write([]byte("before "))
		<-time.After(3 * time.Second) // a token is valid for 2 s
		_, _ = writer.Write([]byte("after"))
		_ = writer.Close()
	}()
	if response := send(t, client, http.MethodPost, f.url+"/upload", body, bearer); response.StatusCode != http.StatusOK {
		t.Errorf("the response to the upload is %s", response.Status)
	}
	if got := <-received; got != "before after" {
		t.Errorf("the upstream received %q", got)
	}
}
