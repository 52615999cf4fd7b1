package caddymodule_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestPluginCommands runs the commands of docs/openapi.md about plugins against the simulator.
func TestPluginCommands(t *testing.T) {
	script := regexp.MustCompile("(?s)```sh\n([^`]*/wxa/getpluginopenpid[^`]*)```").FindStringSubmatch(readDocument(t, "openapi.md"))
	if script == nil {
		t.Fatal("docs/openapi.md has no commands with getpluginopenpid")
	}
	w := newWeChat(t, "app wx0000000000000001", "127.0.0.1")
	commands := strings.NewReplacer("http://127.0.0.1:8081", w.url, "http://127.0.0.1:9912", w.sim.ManagementURL).Replace(script[1])
	out, err := exec.CommandContext(t.Context(), "sh", "-euc", commands).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	alice, err := w.sim.Sim.Resolve(wechatsim.User{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	want := wechatsim.OpenPIDFor(wechatsim.DefaultApp.ID, "wx2222222222222222", alice.OpenID)
	if !strings.Contains(string(out), `"openpid":"`+want+`"`) {
		t.Errorf("got %s, want %s", out, want)
	}
	w.do("GET", "/wxa/resetusersessionkey", "").want(t, 403, "forbidden")
}
