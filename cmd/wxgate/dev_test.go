package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestDev is issue 2, point 10: each line that `wxgate dev` prints works when it
// is pasted, and Ctrl-C ends it all without a trace.
func TestDev(t *testing.T) {
	walkDev(t, "", "wxgate", "dev", "--port", "0")
}

// TestDevFallsBack has the default ports taken: free ones are used and printed.
func TestDevFallsBack(t *testing.T) {
	taken := []string{"127.0.0.1:8088", "127.0.0.1:9901", "127.0.0.1:9902", "127.0.0.1:9000", "127.0.0.1:8089"}
	for _, addr := range taken {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // then another process has it, which does as well
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	said := walkDev(t, "", "wxgate", "dev")
	for _, addr := range taken {
		if strings.Contains(said, addr) {
			t.Errorf("it names %s, which it cannot have:\n%s", addr, said)
		}
	}
}

// TestDevRefusesTakenPort has a port taken that was asked for: Caddy would share
// it, and half of the requests would go elsewhere.
func TestDevRefusesTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "", []string{"TMPDIR=" + t.TempDir()}, "wxgate", "dev", "--port", port)
	p.waitFor("the port is in use; choose another with --port")
	<-p.done
	if p.err == nil {
		t.Error("exit code 0")
	}
}

// walkDev starts a command that is `wxgate dev`, runs each line that it prints,
// ends it, and returns what it said.
func walkDev(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	tmp := shortDir(t)
	p := startProcess(t, dir, []string{"TMPDIR=" + tmp}, name, args...)
	p.waitFor("\ncontrols ")
	printed := lines(p.output(), "curl ")
	checks := devChecks()
	if len(printed) != len(checks) {
		t.Fatalf("%d lines are printed, %d are known here:\n%s", len(printed), len(checks), p.output())
	}
	for i, line := range printed {
		paste := exec.Command("bash", "-c", line)
		paste.Env = append(os.Environ(), "NO_PROXY=*")
		said, err := paste.Output()
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
		checks[i](t, string(said))
		if t.Failed() {
			t.Fatalf("line %d:\n%s\nanswered\n%s", i+1, line, said)
		}
	}
	for line := range strings.Lines(p.output()) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	p.interrupt()
	wantEmpty(t, tmp)
	return p.output()
}

// wantEmpty fails the test when `wxgate dev` left something behind. The go
// command's own folders are gone when it has ended.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("the temporary directory holds %v", left)
	}
}

// devChecks say what each line must print, in at most 80 columns.
func devChecks() []func(*testing.T, string) {
	prints := func(texts ...string) func(*testing.T, string) {
		return func(t *testing.T, said string) {
			t.Helper()
			for _, text := range texts {
				if !strings.Contains(said, text) {
					t.Errorf("no %q", text)
				}
			}
			for line := range strings.Lines(said) {
				if utf8.RuneCountInString(line) > 81 {
					t.Errorf("more than 80 columns: %s", line)
				}
			}
		}
	}
	return []func(*testing.T, string){
		prints("phone    → gateway   POST /v1.0/pub/openId", "gateway  → wechat ", `      "openId": "alice",`, `      "access_token": "ey`, "Notice: session_key is a handle"),
		prints("gateway  → upstream  GET /api/orders", "    added     X-Wx-Openid: alice\n", "gateway  → phone     200 OK"),
		prints("    removed   X-WX-OPENID: mallory\n", "    replaced  X-Wx-Openid: alice\n", "gateway  → phone     200 OK", "Notice: the phone sent"),
		prints("gateway  → phone     403 Forbidden phone_required"),
		prints(`"purePhoneNumber": "`, `"access_token": "ey`),
		prints("gateway  → upstream  GET /vip/orders", "200 OK"),
		prints("phone    → gateway   POST /v1.0/pub/refresh", `      "refresh_token": "`),
		prints("gateway  → phone     204 No Content"),
		prints("gateway  → phone     401 Unauthorized missing_token"),
	}
}

// TestDevUpstream has a service of one's own behind the gateway, which then goes down.
func TestDevUpstream(t *testing.T) {
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+strings.Join(r.Header.Values("X-Wx-Openid"), " and "))
	}))
	t.Cleanup(own.Close)
	p := startProcess(t, "", []string{"TMPDIR=" + shortDir(t)}, "wxgate", "dev", "--port", "0", "--upstream", own.URL)
	p.waitFor("\ncontrols ")
	if want := "\nyour service " + own.URL + "/\n"; !strings.Contains(p.output(), want) {
		t.Fatalf("it said\n%s", p.output())
	}
	printed := lines(p.output(), "curl ")
	paste := func(line, want string) {
		t.Helper()
		shell := exec.CommandContext(t.Context(), "bash", "-c", line)
		shell.Env = append(os.Environ(), "NO_PROXY=*")
		if said, err := shell.Output(); err != nil || !strings.Contains(string(said), want) {
			t.Errorf("%s (%v) printed\n%s", line, err, said)
		}
	}
	paste(printed[0], `"openId": "alice"`)
	paste(printed[2], "\n    hello alice\n")
	own.CloseClientConnections()
	own.Close()
	paste(printed[1], "502 Bad Gateway upstream_down")
	p.interrupt()
}
