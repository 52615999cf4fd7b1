package main

import (
	"context"
	"net/http"
	"os"
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

// TestSmallestCaddyfileKeepsOpenidsOutOfLogs runs README's smallest Caddyfile, its
// addresses aside, and has a client go away in the middle of an answer and of a
// silent stream. Without wxgate's help reverse_proxy would warn of it and write
// the openid into the log.
func TestSmallestCaddyfileKeepsOpenidsOutOfLogs(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSurroundings(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	left := make(chan struct{}, 2)
	s.upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for block := make([]byte, 64<<10); r.URL.Path == "/long"; {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		_, _ = w.Write([]byte("first"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		left <- struct{}{}
	})
	caddyfile := strings.NewReplacer(
		"{\n\twxgate {", "{\n\tadmin off\n\twxgate {", "{env.WX_SECRET}", "{env.WX_SECRET} {\n\t\t\tapi {$WX_API}\n\t\t}",
		":8080", ":{$PORT}", "127.0.0.1:9000", "{$UPSTREAM}",
	).Replace(fencedBlocks(string(readme), "caddyfile")[0].text)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway := startProcess(t, t.TempDir(), s.env, "wxgate", "run", "--config", file)
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	login, err := s.login("alice-in-the-log")
	if err != nil || login.status != http.StatusOK {
		t.Fatal(login, err)
	}
	for _, path := range []string{"/long", "/silent"} {
		leave(t, s.url+path, login.member("access_token"))
		<-left
	}
	gateway.interrupt()
	if log, openid := gateway.output(), login.member("openId"); openid == "" || strings.Contains(log, openid) {
		t.Errorf("the log tells the openid:\n%s", log)
	}
}

// leave reads the beginning of an answer and goes away.
func leave(t *testing.T, url, token string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := response.Body.Read(make([]byte, 1)); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", response.StatusCode, err)
	}
}
