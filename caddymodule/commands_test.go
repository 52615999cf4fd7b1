package caddymodule_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/command"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestUserLogoutReports: the command prints how many sessions ended. An app that is not
// configured is an error, and so is an openid about which nothing is stored (finding A5).
func TestUserLogoutReports(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	alice := f.login("alice").str(t, "openId")
	f.login("alice")
	name := []string{"user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid"}
	for _, want := range []string{"2 sessions ended", "no session of this user"} {
		if out := f.operate(append(name, alice)...); !strings.Contains(out, want) {
			t.Errorf("the command printed %q, want %q", out, want)
		}
	}
	f.login("alice")
	if out := f.operate(append(name, alice)...); out != "1 session ended\n" {
		t.Errorf("the command printed %q", out)
	}
	f.refusedTo(append(name, "unknown-openid", "--address", "unix/"+f.socket()), "nothing is stored about this user: check the openid", "404")
	for _, args := range [][]string{{"user", "logout"}, {"session-key", "check"}, {"session-key", "reset"}} {
		unknown := append(args, "--app", "wx7777777777777777", "--openid", alice, "--address", "unix/"+f.socket())
		f.refusedTo(unknown, "app is not configured: wx7777777777777777", "404")
	}
}

// TestUnknownSubcommands: the error for a misspelled or missing subcommand suggests one
// (finding A6).
func TestUnknownSubcommands(t *testing.T) {
	f := newOperatedFixture(t) // not started: none of these commands may call the gateway
	for args, want := range map[string]string{
		"keys lst":            `keys: unknown subcommand "lst"; did you mean "list"?`,
		"keys retier ID":      `did you mean "retire"?`,
		"keys":                "missing subcommand; expected one of: ",
		"user list":           `user: unknown subcommand "list"; expected one of: `,
		"user":                "missing subcommand",
		"session-key chekc":   `did you mean "check"?`,
		"session-key":         "missing subcommand",
		"store compress":      `store: unknown subcommand "compress"; expected one of: check, compact, `,
		"store":               "missing subcommand",
		"keys list all":       "unknown command",
		"keys rotate now":     "unknown command",
		"keys retire":         "expected one key ID",
		"keys retire -abc":    "wxgate keys retire -- <id>",
		"keys retire -dq4OFZ": "wxgate keys retire -- <id>",
		"keys list --sort":    "unknown flag",
		"user logout alice":   "unknown command",
		"user logout":         "--app <appid> and either --openid <openid> or --unionid <unionid> are required",
		"store check a b":     "accepts at most 1 arg(s)",
		"store copy a":        "accepts 2 arg(s)",
		"dev now":             "unknown command",
		"attack":              "accepts 1 arg(s)",
		"session-key check":   "--app <appid> and --openid <openid> are required",
		"store compact a b":   "accepts at most 1 arg(s)",
		"session-key reset x": "unknown command",
	} {
		f.refusedTo(strings.Fields(args), want)
	}
}

// TestAdminErrors: the advice to check that wxgate is running is only in the error for a call
// without a response (finding A11).
func TestAdminErrors(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	const hint = "check that wxgate is running"
	for _, args := range [][]string{
		{"keys", "retire", "nosuch"}, {"user", "logout", "--app", "wx7777777777777777", "--openid", "o1"},
	} {
		_, err := f.command(append(args, "--address", "unix/"+f.socket())...)
		if err == nil || strings.Contains(err.Error(), hint) || strings.ContainsAny(err.Error(), "{}\n") {
			t.Errorf("wxgate %v: %v", args, err)
		}
	}
	f.refusedTo([]string{"keys", "list", "--address", "unix/" + f.socket() + ".not"}, hint, f.socket()+".not")
	f.refusedTo([]string{"keys", "list", "--config", f.dir + "/none"}, "no such file")
}

// TestKeysReport: a rotation prints which key signs and from when, even if it changed nothing,
// and a retired key remains in the list (finding A20).
func TestKeysReport(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	old := f.token("alice")
	want := func(out string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(strings.Split(out, "\n")[0], text) {
				t.Errorf("the command printed\n%swant %q in its first line", out, text)
			}
		}
	}
	out := f.operate("keys", "rotate")
	next := f.keyIn("next")
	want(out, next, "was made and signs from 2", "in 10m0s", "--immediate")
	want(f.operate("keys", "rotate"), next, "exists already and signs from 2")
	want(f.operate("keys", "rotate", "--immediate"), next, "exists already and signs from now on")
	want(f.operate("keys", "rotate", "--immediate"), "was made and signs from now on")

	leaked := signedBy(t, old)
	want(f.operate("keys", "retire", "--", leaked), leaked, "is retired")
	for range 2 {
		if state := f.keys()[leaked]; state != "retired" {
			t.Errorf("the retired key is listed as %q", state)
		}
		f.wantCall(old, http.StatusUnauthorized, "invalid_token")
		if strings.Contains(f.published(), leaked) {
			t.Error("the retired key is published")
		}
		f.stop()
		f.load()
	}
}

// newCommand returns the command of wxgate with this name.
func newCommand(t testing.TB, name string) *cobra.Command {
	t.Helper()
	for _, c := range command.Commands() {
		if c.Name == name {
			cmd := &cobra.Command{Use: c.Name, SilenceErrors: true, SilenceUsage: true}
			c.CobraFunc(cmd)
			return cmd
		}
	}
	t.Fatalf("there is no command %s", name)
	return nil
}

// TestOneCommandForCaddy: importing wxgate into another Caddy adds one command, which has all
// commands of wxgate as subcommands.
func TestOneCommandForCaddy(t *testing.T) {
	t.Parallel()
	var ours []string
	for name := range caddycmd.Commands() {
		if !slices.Contains(caddysCommands, name) {
			ours = append(ours, name)
		}
	}
	if !slices.Equal(ours, []string{"wxgate"}) {
		t.Fatalf("commands beside Caddy's: %q", ours)
	}
	cmd := &cobra.Command{Use: "wxgate", SilenceErrors: true, SilenceUsage: true}
	caddycmd.Commands()["wxgate"].CobraFunc(cmd)
	for _, c := range command.Commands() {
		if found, _, err := cmd.Find([]string{c.Name}); err != nil || found.Name() != c.Name || found.Short != c.Short {
			t.Errorf("caddy wxgate %s: %v", c.Name, err)
		}
	}
	cmd.SetArgs([]string{"kyes", "list"})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), `did you mean "keys"?`) {
		t.Errorf("a misspelled command: %v", err)
	}
}

// caddysCommands are the commands of Caddy and its standard modules.
var caddysCommands = []string{
	"adapt", "add-package", "build-info", "completion", "environ", "file-server", "fmt", "hash-password", "help", "list-modules", "manpage",
	"reload", "remove-package", "respond", "reverse-proxy", "run", "start", "stop", "storage", "trust", "untrust", "upgrade", "validate", "version",
}
