package caddymodule_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// output collects the output of a running process.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startProgram runs a program of a page until the test ends.
func startProgram(t *testing.T, command, env []string) *output {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skipf("needs %s: %v", command[0], err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := new(output)
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	program.Env = append(os.Environ(), env...)
	program.Stdout, program.Stderr = out, out
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = program.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s printed: %s", command[0], out)
		}
	})
	return out
}

// recorder records events and forwards them to a receiver.
type recorder struct {
	mu  sync.Mutex
	raw []string
}

func newRecorder(t *testing.T, target string) (r *recorder, url string) {
	t.Helper()
	r = new(recorder)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		r.raw = append(r.raw, string(body))
		r.mu.Unlock()
		status, text := postEventAs(t, request.Header.Get("Authorization"), target, string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return r, server.URL + "/events"
}

// postEvent sends a token to a receiver with the bearer token that it expects.
func postEvent(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	return postEventAs(t, "Bearer "+eventsBearer, url, token)
}

func postEventAs(t *testing.T, authorization, url, token string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(token))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/secevent+jwt")
	request.Header.Set("Authorization", authorization)
	response, err := client.Do(request)
	if err != nil {
		return http.StatusServiceUnavailable, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// TestEventReceivers runs the receivers of docs/events.md with the configuration on that page.
// They process each event once, and refuse everything that is not an event for them.
func TestEventReceivers(t *testing.T) {
	eachReceiver(t, "events.md", testEventReceiver)
}

// eachReceiver builds the receivers of a page, in Go and for Node, and tests each with every
// public-key algorithm of tokens.
func eachReceiver(t *testing.T, page string, test func(t *testing.T, alg string, command []string)) {
	t.Helper()
	dir := t.TempDir()
	write := func(heading, language, name string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(guideBlock(t, page, heading, language)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	binary := filepath.Join(dir, "receiver")
	if out, err := exec.Command("go", "build", "-o", binary, write("### Go", "go", "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, command := range map[string][]string{"Go": {binary}, "Node": {"node", write("### Node", "js", "receiver.js")}} {
		for _, alg := range []string{"EdDSA", "ES256", "RS256"} {
			t.Run(name+" "+alg, func(t *testing.T) { test(t, alg, command) })
		}
	}
}

// startReceiver starts a receiver and waits until it listens.
func startReceiver(t *testing.T, command []string, listen string, env ...string) *output {
	t.Helper()
	out := startProgram(t, command, append(slices.Clip(env), "LISTEN="+listen))
	eventually(t, "the receiver listens", func() bool {
		conn, err := net.Dial("tcp", listen)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return out
}

func testEventReceiver(t *testing.T, alg string, command []string) {
	t.Setenv("EVENTS_BEARER", eventsBearer)
	listen := freeAddr(t)
	r, url := newRecorder(t, "http://"+listen+"/events")
	config := guideCaddyfile(t, "events.md", "## Configuration")
	config = strings.NewReplacer("http://127.0.0.1:9400/events", url, "token {\n", "token {\n\t\t\talg "+alg+"\n").Replace(config)
	f := newOperatedFixture(t)
	f.config = strings.Replace(config, "admin off", "admin unix/{{.Dir}}/admin.sock", 1)
	f.load()
	const issuer = "https://api.example.com"
	out := startReceiver(t, command, listen, "ISSUER="+issuer, "AUDIENCE="+url, "JWKS="+f.url+"/.well-known/jwks.json", "BEARER="+eventsBearer)
	login := f.login("alice")
	line := "ended: user " + login.str(t, "openId") + ", session \""
	f.logout(login)
	eventually(t, "the receiver prints the end of the session", func() bool { return strings.Contains(out.String(), line) })
	all := f.login("alice")
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+all.str(t, "access_token")).want(t, http.StatusNoContent, "")
	eventually(t, "the receiver prints the end of all sessions", func() bool { return strings.Contains(out.String(), line+`"`) })

	f.operate("user", "erase", "--app", "wx0000000000000001", "--openid", login.str(t, "openId"))
	eventually(t, "the receiver prints the erasure", func() bool { return strings.Contains(out.String(), "erased: user "+login.str(t, "openId")) })

	r.mu.Lock()
	event := r.raw[0]
	r.mu.Unlock()
	before := strings.Count(out.String(), line)
	if status, body := postEvent(t, "http://"+listen+"/events", event); status != http.StatusAccepted {
		t.Errorf("a duplicate: %d %s", status, body)
	}
	parts := strings.Split(event, ".")
	middle := []byte(parts[1])
	middle[len(middle)/2] ^= 3
	for what, row := range map[string]struct{ token, code string }{
		"an access token":     {all.str(t, "access_token"), "invalid_request"},
		"no token":            {"x", "invalid_request"},
		"two parts":           {parts[0] + "." + parts[1], "invalid_request"},
		"no signature":        {parts[0] + "." + parts[1] + ".", "invalid_key"},
		"another's signature": {parts[0] + "." + parts[1] + "." + strings.Split(all.str(t, "access_token"), ".")[2], "invalid_key"},
	} {
		if status, body := postEvent(t, "http://"+listen+"/events", row.token); status != http.StatusBadRequest || !strings.Contains(body, `"err":"`+row.code+`"`) {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	if status, _ := postEvent(t, "http://"+listen+"/events", parts[0]+"."+string(middle)+"."+parts[2]); status != http.StatusBadRequest {
		t.Errorf("a changed event: %d", status)
	}
	for _, authorization := range []string{"", "Bearer " + eventsBearer + "x", eventsBearer} {
		status, body := postEventAs(t, authorization, "http://"+listen+"/events", event)
		if status != http.StatusBadRequest || !strings.Contains(body, `"err":"authentication_failed"`) {
			t.Errorf("Authorization %q: %d %s", authorization, status, body)
		}
	}
	if n := strings.Count(out.String(), line); n != before {
		t.Errorf("a duplicate or a forged event was processed: %s", out)
	}
	for what, env := range map[string]string{"invalid_audience": "AUDIENCE=https://elsewhere.example.com", "invalid_issuer": "ISSUER=https://elsewhere.example.com"} {
		other := freeAddr(t)
		startProgram(t, command, []string{"ISSUER=" + issuer, "AUDIENCE=" + url, "JWKS=" + f.url + "/.well-known/jwks.json", "LISTEN=" + other, env})
		eventually(t, what, func() bool {
			status, body := postEvent(t, "http://"+other+"/events", event)
			return status == http.StatusBadRequest && strings.Contains(body, `"err":"`+what+`"`)
		})
	}
}
