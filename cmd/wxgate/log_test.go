package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestExampleKeepsOpenidsOutOfLogs has an upstream fail in the middle of an
// answer: reverse_proxy then warns, and writes the request that it sent into the
// log, with every header that the gateway added.
func TestExampleKeepsOpenidsOutOfLogs(t *testing.T) {
	s, err := newSurroundings(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	s.upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 100))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	example, err := filepath.Abs(filepath.Join("..", "..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	gateway := startProcess(t, t.TempDir(), s.env, "wxgate", "run", "--config", example)
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	login, err := s.login("alice-in-the-log")
	if err != nil || login.status != http.StatusOK {
		t.Fatal(login, err)
	}
	_, _ = ask(http.MethodGet, s.url+"/orders", "", "Authorization: Bearer "+login.member("access_token")) // its answer is cut
	gateway.waitFor("aborting with incomplete response")
	gateway.interrupt()
	log := gateway.output()
	for _, secret := range []string{login.member("openId"), login.member("access_token"), login.member("refresh_token"), login.member("session_key")} {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the log tells %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "X-Wx-Source") {
		t.Errorf("no logged request came with identity headers, so nothing was tested:\n%s", log)
	}
}
