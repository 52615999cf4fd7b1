package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigurationsKeepOpenidsOutOfLogs runs Caddyfile.example and README's smallest Caddyfile,
// with other addresses. A client closes its connection in the middle of a response, and an
// upstream fails in the middle of one: reverse_proxy then warns, and its log line contains the
// request that it sent, with the headers that the gateway added.
func TestConfigurationsKeepOpenidsOutOfLogs(t *testing.T) {
	for name, caddyfile := range map[string]string{"Caddyfile.example": exampleCaddyfile(t), "README": smallestCaddyfile(t)} {
		t.Run(name, func(t *testing.T) { testLog(t, caddyfile) })
	}
}

func exampleCaddyfile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func smallestCaddyfile(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(
		"{\n\twxgate {", "{\n\tadmin off\n\twxgate {", "{env.WX_SECRET}", "{env.WX_SECRET} {\n\t\t\tapi {$WX_API}\n\t\t}",
		":8080", ":{$PORT}", "127.0.0.1:9000", "{$UPSTREAM}",
	).Replace(fencedBlocks(string(readme), "caddyfile")[0].text)
}

func testLog(t *testing.T, caddyfile string) {
	s, err := newSurroundings(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	left := make(chan struct{}, 1)
	s.upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/leave" {
			w.Header().Set("Content-Type", "text/event-stream") // forwarded at once
		}
		_, _ = w.Write(make([]byte, 100))
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/leave" {
			<-r.Context().Done()
			left <- struct{}{}
		}
		panic(http.ErrAbortHandler)
	})
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
	leave(t, s.url+"/leave", login.member("access_token"))
	<-left
	_, _ = ask(http.MethodGet, s.url+"/cut", "", "Authorization: Bearer "+login.member("access_token"))
	for _, path := range []string{"/leave", "/cut"} {
		gateway.waitFor(`"uri":"` + path + `"`)
	}
	gateway.interrupt()
	log := gateway.output()
	for _, secret := range []string{login.member("openId"), login.member("access_token"), login.member("refresh_token"), login.member("session_key")} {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the log contains %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "X-Wx-Appid") {
		t.Errorf("no logged request has identity headers, so the test proves nothing:\n%s", log)
	}
}

// leave reads the beginning of a response and closes the connection.
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
