package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// startSim runs `wxgate sim` on free ports, and returns it with the addresses that it prints.
func startSim(t *testing.T, args ...string) (p *process, api, controls string) {
	t.Helper()
	p = startProcess(t, "", nil, "wxgate", append([]string{"sim", "--api", "127.0.0.1:0", "--management", "127.0.0.1:0"}, args...)...)
	p.waitFor("grant_type=authorization_code")
	for line := range strings.SplitSeq(p.output(), "\n") {
		if rest, ok := strings.CutPrefix(line, "api "); ok {
			api = strings.TrimSpace(rest)
		}
		if rest, ok := strings.CutPrefix(line, "controls "); ok {
			controls = strings.TrimSuffix(strings.TrimSpace(rest), "/")
		}
	}
	if api == "" || controls == "" {
		t.Fatal("it prints no addresses")
	}
	return p, api, controls
}

// TestSim follows docs/sim.md: it runs the commands of the page one after the other, and the
// login that `wxgate sim` prints. Ctrl-C ends it with exit code 0.
func TestSim(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := guideSteps(string(page))
	if len(steps) < 3 || strings.TrimSpace(steps[0].text) != "wxgate sim" {
		t.Fatalf("docs/sim.md begins with %q and has %d blocks of commands", steps[0].text, len(steps))
	}
	p, api, controls := startSim(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Query().Get("echostr")) // an empty response acknowledges a push
	}))
	t.Cleanup(service.Close)
	addresses := strings.NewReplacer("http://127.0.0.1:9911", api, "http://127.0.0.1:9912", controls, "http://127.0.0.1:8080", service.URL)
	sh := startShell(t, t.TempDir(), append(os.Environ(), "NO_PROXY=*"))
	for _, step := range steps[1:] {
		printed := sh.run("docs/sim.md", addresses.Replace(step.text))
		if want := guidePattern(step.prints); !want.MatchString(printed) {
			t.Errorf("docs/sim.md:%d prints\n%s\nwant\n%s", step.line, printed, step.prints)
		}
	}
	sh.run("the end of the faults", "curl -sS -X DELETE "+controls+"/faults")
	printed := p.output()
	login := printed[strings.Index(printed, "code=$("):]
	if said := sh.run("the login that it prints", login); !strings.Contains(said, `"openid":"o`) {
		t.Errorf("the login that it prints returns %s", said)
	}
	p.interrupt()
}

// TestSimFile starts a simulator with the file of docs/sim.md, and logs bob in.
func TestSimFile(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := fencedBlocks(string(page), "json")
	if len(files) != 1 {
		t.Fatalf("docs/sim.md has %d blocks of JSON", len(files))
	}
	name := filepath.Join(t.TempDir(), "sim.json")
	if err := os.WriteFile(name, []byte(files[0].text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, api, controls := startSim(t, "--config", name)
	login := exec.Command("bash", "-euc", `code=$(curl -sSf "$1/code?appid=wx00000000000000aa&user=bob")
curl -sSf "$2/sns/jscode2session?appid=wx00000000000000aa&secret=any&js_code=$code&grant_type=authorization_code"
curl -sSf "$1/users"`, "bash", controls, api)
	login.Env = append(os.Environ(), "NO_PROXY=*")
	said, err := login.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, want := range []string{`"openid":"oBOB"`, `"unionid":"oUNION-alice"`, `"phone":"7700900123","country":"44"`} {
		if !strings.Contains(string(said), want) {
			t.Errorf("no %s in\n%s", want, said)
		}
	}
	p.interrupt()
}

// TestSimPushes looks for every type of push in docs/sim.md.
func TestSimPushes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	types := simpush.Types()
	if len(types) == 0 {
		t.Fatal("there are no types")
	}
	for _, name := range types {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/sim.md does not name the type %q", name)
		}
	}
}

// TestSimFaults looks for every kind of fault in docs/sim.md.
func TestSimFaults(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := fault.Kinds()
	if len(kinds) == 0 {
		t.Fatal("there are no kinds")
	}
	for _, kind := range kinds {
		if !strings.Contains(string(page), "`"+string(kind)+"`") {
			t.Errorf("docs/sim.md does not name the kind %q", kind)
		}
	}
}
