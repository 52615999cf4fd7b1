package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// moduleRoot is the folder in which a reader of README.md is.
const moduleRoot = "../.."

// reader runs the commands of README.md, in their order.
type reader struct {
	tmp    string   // where the binary goes, so that nothing is left in the tree
	binary string   // that ./wxgate is replaced with
	env    []string // what the reader exported

	whole   *testing.T // of all commands: the gateway runs for the ones after it
	running *surroundings
}

// readmeCommands are the commands that README.md may hold. A command that is not
// here fails the test: it would be untested.
var readmeCommands = map[string]func(*reader, *testing.T, string){
	"go run -v ./cmd/wxgate dev":                                                                                 (*reader).dev,
	"go run ./cmd/wxgate dev --upstream 127.0.0.1:3000":                                                          (*reader).devUpstream,
	"go test -race -timeout 15m ./...":                                                                           (*reader).allTests,
	"go -C deploy/manifests test ./...":                                                                          (*reader).allTests,
	"go -C internal/wechatsim/sdktest test ./...":                                                                (*reader).allTests,
	"export WX_APPID=wx0000000000000001 WX_SECRET=00000000000000000000000000000001":                              (*reader).export,
	"export WX_API=http://127.0.0.1:9901 WXGATE_ADMIN=${XDG_RUNTIME_DIR:-$HOME}/wxgate-admin.sock":               (*reader).exportAPI,
	"go build -o wxgate ./cmd/wxgate":                                                                            (*reader).build,
	"./wxgate validate --config Caddyfile.example":                                                               (*reader).validate,
	"./wxgate run --config Caddyfile.example":                                                                    (*reader).run,
	`curl -sS http://127.0.0.1:8080/v1.0/pub/openId -d "{\"code\": \"$(curl -sS http://127.0.0.1:9902/code)\"}"`: (*reader).login,
	"xcaddy build --with github.com/wxgate/wxgate/caddymodule":                                                   (*reader).xcaddy,
}

// TestReadmeCommands runs every command of README.md as it is written there.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tmp := shortDir(t)
	r := &reader{tmp: tmp, binary: filepath.Join(tmp, "wxgate"), whole: t}
	seen := map[string]bool{}
	for _, block := range fencedBlocks(string(text), "sh") {
		for line := range strings.Lines(block.text) {
			command := strings.TrimSpace(line)
			seen[command] = true
			run, ok := readmeCommands[command]
			if !ok {
				t.Errorf("README.md:%d has a command that no test runs: %s", block.line, command)
				continue
			}
			t.Run(command, func(t *testing.T) { run(r, t, command) })
		}
	}
	for command := range readmeCommands {
		if !seen[command] {
			t.Errorf("README.md has no longer: %s", command)
		}
	}
}

// shell runs a command line at the module's root and returns what it said.
func (r *reader) shell(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(), r.env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, said)
	}
	return string(said)
}

func (r *reader) dev(t *testing.T, line string) {
	walkDev(t, moduleRoot, "bash", "-c", "exec "+line)
}

// devUpstream is what TestDevUpstream tries. Here it is the service of README.md, in Node, at
// another port, and a command that is built already.
func (r *reader) devUpstream(t *testing.T, line string) {
	arguments, ok := strings.CutPrefix(line, "go run ./cmd/wxgate ")
	if !ok {
		t.Fatal(line)
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	other := port(t)
	code := strings.NewReplacer("3000, '127.0.0.1')", other+", '127.0.0.1', () => console.log('listens'))").Replace(fencedBlocks(string(text), "js")[0].text)
	service := startProcess(t, "", nil, "node", "-e", code)
	service.waitFor("listens")
	p := startProcess(t, "", []string{"TMPDIR=" + shortDir(t)}, "wxgate", strings.Fields(strings.Replace(arguments, "3000", other, 1))...)
	p.waitFor("\ncontrols ")
	for i, want := range []string{`"openId": "alice"`, "\n    hello alice\n"} {
		if said := r.shell(t, lines(p.output(), "curl ")[i]); !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	p.interrupt()
}

// allTests does not run all tests from within one of them. It asserts that CI
// runs that very command; CI adds how it counts and prints.
func (r *reader) allTests(t *testing.T, line string) {
	ci, err := os.ReadFile(filepath.Join(moduleRoot, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	added := regexp.MustCompile(` -count=1| -json| 2>&1.*`)
	for _, run := range lines(string(ci), "go ") {
		if added.ReplaceAllString(run, "") == line {
			return
		}
	}
	t.Errorf(".ci/run has no line %q", line)
}

func (r *reader) export(t *testing.T, line string) {
	r.env = append(r.env, strings.Fields(line)[1:]...)
	for _, want := range []string{"WX_APPID=" + wechatsim.DefaultApp.ID, "WX_SECRET=" + wechatsim.DefaultApp.Secret} {
		if !strings.Contains(line, want) {
			t.Errorf("the simulator's is %s", want)
		}
	}
}

// exportAPI is tried as it is written, by a user without a runtime folder; what the
// commands below use is the test's own simulator and socket.
func (r *reader) exportAPI(t *testing.T, line string) {
	home := t.TempDir()
	said := r.shell(t, "unset XDG_RUNTIME_DIR; HOME="+home+"; "+line+"; echo $WX_API $WXGATE_ADMIN")
	if want := "http://127.0.0.1:9901 " + home + "/wxgate-admin.sock\n"; said != want {
		t.Errorf("it sets %q, want %q", said, want)
	}
}

func (r *reader) build(t *testing.T, line string) {
	r.shell(t, strings.Replace(line, "-o wxgate", "-o "+r.binary, 1))
}

func (r *reader) validate(t *testing.T, line string) {
	if said := r.shell(t, strings.Replace(line, "./wxgate", r.binary, 1)); !strings.Contains(said, "Valid configuration") {
		t.Errorf("it said %s", said)
	}
}

// run has the ports and folders of the machine replaced, and nothing else.
func (r *reader) run(t *testing.T, line string) {
	s, err := newSurroundings(r.tmp)
	if err != nil {
		t.Fatal(err)
	}
	r.running = s
	r.whole.Cleanup(s.close)
	p := startProcess(r.whole, moduleRoot, append(withoutApp(s.env), r.env...), "bash", "-c", "exec "+strings.Replace(line, "./wxgate", r.binary, 1))
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	login, err := s.login("alice")
	if err != nil || login.status != http.StatusOK {
		t.Fatalf("login: %d %s %v", login.status, login.body, err)
	}
	orders, err := ask(http.MethodGet, s.url+"/orders", "", "Authorization: Bearer "+login.member("access_token"))
	if err != nil || orders.body != "openid="+login.member("openId") {
		t.Errorf("the upstream returned %d %q %v", orders.status, orders.body, err)
	}
	r.whole.Cleanup(p.interrupt)
}

// login is of the gateway that runs, and of its simulator.
func (r *reader) login(t *testing.T, line string) {
	if r.running == nil {
		t.Fatal("no gateway runs")
	}
	line = strings.NewReplacer("http://127.0.0.1:8080", r.running.url, "http://127.0.0.1:9902", r.running.sim.ManagementURL).Replace(line)
	if said := r.shell(t, line); !strings.Contains(said, `"access_token":"`) {
		t.Errorf("it said %s", said)
	}
}

// withoutApp leaves the appid and the secret to what the reader exported.
func withoutApp(env []string) []string {
	var rest []string
	for _, v := range env {
		if !strings.HasPrefix(v, "WX_APPID=") && !strings.HasPrefix(v, "WX_SECRET=") {
			rest = append(rest, v)
		}
	}
	return rest
}
