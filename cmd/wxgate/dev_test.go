package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDev is issue 2, point 10: each line that `wxgate dev` prints works when it
// is pasted, and Ctrl-C ends it all without a trace.
func TestDev(t *testing.T) {
	walkDev(t, "", "wxgate", "dev", "--port", "0")
}

// TestDevFallsBack has the default ports taken: free ones are used and printed.
func TestDevFallsBack(t *testing.T) {
	taken := []string{"127.0.0.1:8088", "127.0.0.1:9901", "127.0.0.1:9902", "127.0.0.1:9000"}
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
	p.waitFor("/.well-known/jwks.json; echo\n")
	printed := lines(p.output(), "curl ")
	checks := devChecks()
	if len(printed) != len(checks) {
		t.Fatalf("%d lines are printed, %d are known here:\n%s", len(printed), len(checks), p.output())
	}
	for i, line := range printed {
		paste := exec.Command("bash", "-c", line)
		paste.Env = append(os.Environ(), "NO_PROXY=*")
		said, err := paste.CombinedOutput()
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
		checks[i](t, string(said))
		if t.Failed() {
			t.Fatalf("line %d:\n%s\nanswered\n%s", i+1, line, said)
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

// devChecks say what each line must answer.
func devChecks() []func(*testing.T, string) {
	members := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, said string) {
			t.Helper()
			a := answer{body: said}
			for _, name := range names {
				if a.member(name) == "" {
					t.Errorf("no %s", name)
				}
			}
		}
	}
	return []func(*testing.T, string){
		members("openId", "session_key", "access_token", "refresh_token"),
		members("purePhoneNumber", "countryCode"),
		members("purePhoneNumber", "countryCode", "access_token"),
		func(t *testing.T, said string) {
			t.Helper()
			if !strings.HasPrefix(said, "GET /api/orders\n") || len(lines(said, "X-Wx-Openid: alice")) != 1 || strings.Contains(said, "mallory") {
				t.Error("the upstream must see alice, once, and never mallory")
			}
			if strings.Contains(said, "Authorization") {
				t.Error("the token reached the upstream")
			}
		},
		func(t *testing.T, said string) {
			t.Helper()
			if !strings.HasPrefix(said, "HTTP/1.1 401 ") || !strings.Contains(said, "\r\nWww-Authenticate: Bearer ") || !strings.Contains(said, `"code":"missing_token"`) {
				t.Error("want a 401 with a challenge and the word missing_token")
			}
		},
		func(t *testing.T, said string) {
			t.Helper()
			var set struct{ Keys []map[string]any }
			if err := json.Unmarshal([]byte(said), &set); err != nil || len(set.Keys) == 0 || set.Keys[0]["kty"] != "OKP" {
				t.Errorf("want a key set with an Ed25519 key (%v)", err)
			}
		},
	}
}
