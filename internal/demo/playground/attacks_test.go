package playground

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
)

// TestAttacks: the page can list and name every kind of attack.
func TestAttacks(t *testing.T) {
	f := newFixture(t)
	texts, err := fs.ReadFile(web, "web/en.js")
	if err != nil {
		t.Fatal(err)
	}
	script, err := fs.ReadFile(web, "web/attacks.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range corpus.Mechanisms() {
		response := f.send(http.MethodGet, "/attacks/"+m.Name, "", nil)
		var found []attackInfo
		err := json.NewDecoder(response.Body).Decode(&found)
		_ = response.Body.Close()
		if err != nil || len(found) == 0 && m.Name != "early" {
			t.Errorf("%s: %d attacks (%v)", m.Name, len(found), err)
		}
		for _, a := range found {
			if !strings.HasPrefix(a.ID, m.Name+"/") || a.Request == "" || len(a.Advisories) == 0 {
				t.Errorf("%s: %+v", m.Name, a)
			}
		}
		if !strings.Contains(string(texts), "'attack."+m.Name+"': ") || !strings.Contains(string(script), "'"+m.Name+"'") {
			t.Errorf("the page does not name %s", m.Name)
		}
	}
}

// TestFire: the fixture's gateway does not lead to the echo, so no control holds and nothing
// is known. The verdict says that, and the attacker's login is no part of the diagram.
func TestFire(t *testing.T) {
	f := newFixture(t)
	a := f.do("attack", command{Attack: "token/alg-missing"})
	if result, err := json.Marshal(a.Result); err != nil || a.Error != "" || !strings.Contains(string(result), `"verdict":"`+string(attack.Inconclusive)+`"`) {
		t.Errorf("%+v (%v)", a, err)
	}
	if messages := f.messages(a.ID); len(messages) != 0 {
		t.Errorf("the diagram has %s", arrows(messages))
	}
	if a := f.do("attack", command{Attack: "no/such"}); !strings.Contains(a.Error, errBadCommand.Error()) {
		t.Errorf("%+v", a)
	}
}

// TestCurlBytes: the command sends the bytes as they are.
func TestCurlBytes(t *testing.T) {
	sent := "GET /a%2fb'\\x HTTP/1.1\r\nHost: x\r\nX: \x00\xff\ttab\r\n\r\n"
	command := curlBytes("http://127.0.0.1:1", sent)
	printing, _, ok := strings.Cut(strings.TrimPrefix(command, "{ "), "; sleep 1; } |\n  curl -sS --max-time 3 telnet://127.0.0.1:1")
	if !ok {
		t.Fatal(command)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", printing).Output()
	if err != nil || string(out) != sent {
		t.Errorf("%s printed %q (%v), want %q", printing, out, err, sent)
	}
	if curlBytes("http://127.0.0.1:1", strings.Repeat("x", maxAttackCommand+1)) != "" {
		t.Error("a command of megabytes is shown")
	}
}
