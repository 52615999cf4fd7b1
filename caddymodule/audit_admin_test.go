package caddymodule_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestAdminAudit: the logger wxgate.audit logs one line for every call that changes something or
// names a user, whether it succeeds or not, and no line has an openid.
func TestAdminAudit(t *testing.T) {
	f := newOperatedFixture(t)
	file := filepath.Join(f.dir, "audit.log")
	f.config = strings.Replace(f.config, "persist_config off", "persist_config off\n\tlog audit {\n\t\toutput file "+file+"\n\t\tinclude wxgate.audit\n\t}", 1)
	f.load()
	alice := f.login("alice").str(t, "openId")
	f.operate("keys", "list")
	f.operate("keys", "rotate")
	f.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", alice)
	_, _ = f.command("keys", "retire", "nosuch", "--address", "unix/"+f.socket())
	_, _ = f.command("user", "logout", "--app", "wx7777777777777777", "--openid", alice, "--address", "unix/"+f.socket())
	if status := f.adminStatus("POST", "/wxgate/user/logout", `{"openid":5}`); status != 400 {
		t.Errorf("a malformed request: %d", status)
	}

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), alice) {
		t.Errorf("the audit log has an openid:\n%s", text)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Logger, Msg, Call, Outcome, App, Key string
			UserID                               string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg != "admin call" {
			continue
		}
		if entry.Logger != "wxgate.audit" || (entry.Call == "user/logout" && entry.Outcome == "ok") != (entry.UserID != "") {
			t.Errorf("logger %q: %s", entry.Logger, line)
		}
		got = append(got, strings.TrimSpace(entry.Call+" "+entry.Outcome+" "+entry.App+entry.Key))
	}
	want := "keys/rotate ok\nuser/logout ok " + wechatsim.DefaultApp.ID + "\nkeys/retire not_found nosuch\nuser/logout not_found\nuser/logout invalid_request"
	if strings.Join(got, "\n") != want {
		t.Errorf("the audit log has\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
