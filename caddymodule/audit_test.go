package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// auditLog is a global option that writes the audit lines to the file audit.log, through a
// sampler that drops all but the first line with each message.
const auditLog = `log audit {
		output file {{.Dir}}/audit.log
		include wxgate.audit
		sampling {
			interval 1h
			first 1
			thereafter 1000000
		}
	}`

// newAuditFixture starts a gateway with an admin API, a callback and an audit log.
func newAuditFixture(t *testing.T) *fixture {
	t.Helper()
	t.Setenv("WXGATE_TEST_PUSH", pushToken)
	f := newOperatedFixture(t)
	config := siteWith{global: auditLog, wxgate: "dev_mode"}.String()
	config = strings.Replace(config, "admin off", "admin unix/{{.Dir}}/admin.sock", 1)
	f.config = strings.Replace(config, "api {{.API}}", "api {{.API}}\n\t\t\tcallback {env.WXGATE_TEST_PUSH}\n\t\t\tphone_budget 2/366d", 1)
	f.load()
	return f
}

// auditLines reads the audit log: every field of every line except the time.
func (f *fixture) auditLines() []map[string]any {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "audit.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	var lines []map[string]any
	for text := range strings.Lines(string(text)) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			f.t.Fatal(err)
		}
		delete(line, "ts")
		lines = append(lines, line)
	}
	return lines
}

// auditRun causes every event that is audited.
type auditRun struct {
	*fixture

	want    []string // the lines, without level and logger, in the order of names of fields
	secrets []string // strings that must not be in any line
	refused string   // the member instance of a refusal
}

// expect adds a line: its message, its outcome and its other fields.
func (r *auditRun) expect(action audit.Action, outcome, fields string) {
	r.want = append(r.want, strings.TrimSpace(string(action)+" "+outcome+" "+fields))
}

const auditedApp = "app=wx0000000000000001"

// session logs alice in, expects the line, and returns its fields.
func (r *auditRun) session() (a response, fields string) {
	r.t.Helper()
	code := r.code("alice")
	a = r.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, code))
	a.want(r.t, http.StatusOK, "")
	sid, _ := claimsOf(r.t, a.str(r.t, "access_token"))["sid"].(string)
	fields = auditedApp + " by=client client=127.0.0.1 session=" + sid + " user_id=ALICE"
	r.expect(audit.Login, "ok", fields)
	r.secrets = append(r.secrets, code, a.str(r.t, "access_token"), a.str(r.t, "refresh_token"), a.str(r.t, "session_key"), a.str(r.t, "openId"))
	return a, fields
}

func (r *auditRun) refreshes() {
	alice, fields := r.session()
	first := alice.str(r.t, "refresh_token")
	token := first
	for range 2 {
		a := r.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
		a.want(r.t, http.StatusOK, "") // a refresh is not audited
		token = a.str(r.t, "refresh_token")
		r.secrets = append(r.secrets, token)
	}
	r.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, first)).want(r.t, http.StatusUnauthorized, "refresh_reused")
	r.expect(audit.RefreshRefused, "refresh_reused", fields)
	r.do("POST", pub+"/refresh", `{"refresh_token":"wxr_made-up"}`).want(r.t, http.StatusUnauthorized, "invalid_token")
	r.expect(audit.RefreshRefused, "invalid_token", "by=client client=127.0.0.1")
	r.secrets = append(r.secrets, "wxr_made-up")
}

func (r *auditRun) decodes() {
	alice, fields := r.session()
	bearer := []string{"Authorization", "Bearer " + alice.str(r.t, "access_token")}
	const number = "10012345678"
	code, err := r.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{Number: number})
	if err != nil {
		r.t.Fatal(err)
	}
	sealed, err := r.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{Number: number}, wechatsim.Sealing{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), bearer...).want(r.t, http.StatusOK, "")
	r.expect(audit.Decode, "ok", strings.Replace(fields, " session", " phone=verified session", 1))
	r.do("POST", pub+"/decode", `{"code":"made-up-code"}`, bearer...).want(r.t, http.StatusBadRequest, "invalid_code")
	r.expect(audit.Decode, "invalid_code", fields)
	byHandle := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, alice.str(r.t, "session_key"))
	r.do("POST", pub+"/decode", byHandle).want(r.t, http.StatusOK, "")
	r.expect(audit.Decode, "ok", auditedApp+" by=client client=127.0.0.1 phone=verified user_id=ALICE")
	forged := fmt.Sprintf(`{"encrypted_data":"AAAAAAAAAAAAAAAAAAAAAA==","iv":%q}`, sealed.IV)
	r.do("POST", pub+"/decode", forged, bearer...).want(r.t, http.StatusBadRequest, "decrypt_failed")
	r.expect(audit.Decode, "decrypt_failed", fields)
	r.secrets = append(r.secrets, number, code.Code, "made-up-code", sealed.EncryptedData, sealed.IV)
}

// budget must be called after decodes, which leaves one phone code of the budget.
func (r *auditRun) budget() {
	alice, fields := r.session()
	token := alice.str(r.t, "access_token")
	r.decodeCode(r.phoneCode("alice"), token).want(r.t, http.StatusOK, "")
	r.expect(audit.Decode, "ok", strings.Replace(fields, " session", " phone=verified session", 1))
	r.expect(audit.BudgetExhausted, "ok", auditedApp+" by=gateway") // once
	for range 2 {
		r.decodeCode(r.phoneCode("alice"), token).want(r.t, http.StatusTooManyRequests, "budget_exhausted")
		r.expect(audit.Decode, "budget_exhausted", fields)
	}
}

func (r *auditRun) logouts() {
	refused := r.do("POST", pub+"/openId", `{"code":"made-up-code"}`)
	refused.want(r.t, http.StatusUnauthorized, "invalid_code")
	r.refused = refused.str(r.t, "instance")
	r.expect(audit.Login, "invalid_code", auditedApp+" by=client client=127.0.0.1")
	one, fields := r.session()
	r.do("POST", pub+"/logout", `{}`, "Authorization", "Bearer "+one.str(r.t, "access_token")).want(r.t, http.StatusNoContent, "")
	r.expect(audit.Logout, "ok", fields)
	all, fields := r.session()
	r.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+all.str(r.t, "access_token")).want(r.t, http.StatusNoContent, "")
	r.expect(audit.Logout, "ok", "all=true "+fields)
	for _, token := range []string{"access_token", "refresh_token"} {
		a, fields := r.session()
		r.do("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, a.str(r.t, token))).want(r.t, http.StatusOK, "")
		r.expect(audit.Logout, "ok", fields)
	}
	r.do("POST", pub+"/revoke", `{"token":"wxr_made-up"}`).want(r.t, http.StatusOK, "") // ends no session
}

func (r *auditRun) mints() {
	a, fields := r.session()
	minted := queried[mintedToken](r.fixture, "token", "mint", "--app", "wx0000000000000001", "--openid", a.str(r.t, "openId"))
	r.secrets = append(r.secrets, minted.AccessToken, minted.RefreshToken)
	r.expect(audit.Mint, "ok", auditedApp+" by=operator session="+minted.Session+" user_id=ALICE")
	r.expect("admin call", "ok", auditedApp+" call=token/mint remote=@ user_id=ALICE")
	for token, fields := range map[string]string{
		minted.RefreshToken:         auditedApp + " by=client client=127.0.0.1 session=" + minted.Session + " user_id=ALICE",
		a.str(r.t, "refresh_token"): fields,
	} {
		r.do("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, token)).want(r.t, http.StatusOK, "")
		r.expect(audit.Logout, "ok", fields)
	}
}

func (r *auditRun) revocations() {
	r.session()
	for _, withdrawn := range []string{"6", "1", "8"} { // profile, for which keys are stored; number plate; phone number
		push, err := simpush.Withdraw(r.sim.Sim, wechatsim.User{App: "wx0000000000000001", Name: "alice"}, "user_authorization_revoke", withdrawn, simpush.Target{Token: pushToken})
		if err != nil {
			r.t.Fatal(err)
		}
		r.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body)).want(r.t, http.StatusOK, "")
	}
	r.expect(audit.KeysForgotten, "ok", auditedApp+" by=wechat cause=user_authorization_revoke user_id=ALICE")
	r.expect(audit.Revocation, "ok", "all=true "+auditedApp+" by=wechat cause=user_authorization_revoke sessions=1 user_id=ALICE")
	one, _ := r.session()
	sid, _ := claimsOf(r.t, one.str(r.t, "access_token"))["sid"].(string)
	r.operate("sessions", "end", "--", sid)
	r.expect(audit.Revocation, "ok", auditedApp+" by=operator session="+sid+" sessions=1 user_id=ALICE")
	r.expect("admin call", "ok", "call=sessions/end remote=@ session="+sid)
	r.session()
	a, _ := r.session()
	r.operate("user", "logout", "--app", "wx0000000000000001", "--openid", a.str(r.t, "openId"))
	r.expect(audit.Revocation, "ok", "all=true "+auditedApp+" by=operator sessions=2 user_id=ALICE")
	r.expect("admin call", "ok", auditedApp+" call=user/logout remote=@ user_id=ALICE")
	r.session()
	r.operate("user", "erase", "--app", "wx0000000000000001", "--openid", a.str(r.t, "openId"))
	r.expect(audit.Revocation, "ok", "all=true "+auditedApp+" by=operator sessions=1 user_id=ALICE")
	r.expect("admin call", "ok", auditedApp+" call=user/erase remote=@ user_id=ALICE")
}

func (r *auditRun) keys(first string) {
	r.operate("keys", "rotate")
	r.expect(audit.KeyRotated, "ok", "by=gateway key=NEW")
	r.expect("admin call", "ok", "call=keys/rotate remote=@")
	r.operate("keys", "retire", "--", first)
	r.expect(audit.KeyRetired, "ok", "by=operator key="+first)
	r.expect("admin call", "ok", "call=keys/retire key="+first+" remote=@")
}

// TestAudit causes every event that is audited, and compares the lines field by field. The
// sampler drops no line, and none has a secret, a code, a token, an openid or a phone number.
func TestAudit(t *testing.T) {
	f := newAuditFixture(t)
	started := f.auditLines()
	if len(started) != 1 || started[0]["msg"] != string(audit.KeyRotated) {
		t.Fatalf("at the first start: %v, want one line about the signing key", started)
	}
	first, _ := started[0]["key"].(string)
	r := &auditRun{fixture: f, secrets: []string{wechatsim.DefaultApp.Secret, pushToken}}
	r.expect(audit.KeyRotated, "ok", "by=gateway key="+first)
	r.refreshes()
	r.decodes()
	r.budget()
	r.logouts()
	r.mints()
	r.revocations()
	r.keys(first)

	lines := f.auditLines()
	seen := map[audit.Action]bool{}
	var got []string
	requests, byRequest := map[string]string{}, 0 // the events, by request ID
	alice := lines[1]["user_id"]
	for _, line := range lines {
		if line["logger"] != "wxgate.audit" || line["level"] != "info" {
			t.Errorf("level and logger of %v", line)
		}
		action, _ := line["msg"].(string)
		seen[audit.Action(action)] = true
		if line["by"] == "client" || line["by"] == "wechat" {
			requests[fmt.Sprint(line["uuid"])] = action + " " + fmt.Sprint(line["outcome"])
			byRequest++
			delete(line, "uuid")
		}
		if line["user_id"] == alice {
			line["user_id"] = "ALICE"
		}
		if key := line["key"]; key != nil && key != first {
			line["key"] = "NEW"
		}
		text := action + " " + fmt.Sprint(line["outcome"])
		for _, name := range slices.Sorted(maps.Keys(line)) {
			if !slices.Contains([]string{"level", "logger", "msg", "outcome"}, name) {
				text += fmt.Sprintf(" %s=%v", name, line[name])
			}
		}
		got = append(got, text)
	}
	if !slices.Equal(got, r.want) {
		t.Errorf("the audit log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(r.want, "\n"))
	}
	if len(requests) != byRequest || requests[r.refused] != "login invalid_code" {
		t.Errorf("%d request IDs on %d lines; instance %s of the refused login is %q", len(requests), byRequest, r.refused, requests[r.refused])
	}
	for _, action := range audit.Actions() {
		if !seen[action] {
			t.Errorf("no line of %s", action)
		}
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range r.secrets {
		if len(secret) < 8 || strings.Contains(string(text), secret) {
			t.Errorf("the audit log has %q", secret)
		}
	}
}

// TestAuditIsDocumented: docs/observability.md has every action and every field.
func TestAuditIsDocumented(t *testing.T) {
	_, section, _ := strings.Cut(readDocument(t, "observability.md"), "\n## Audit\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, action := range audit.Actions() {
		if !strings.Contains(section, "\n| `"+string(action)+"` | ") {
			t.Errorf("docs/observability.md does not have the audit line %s", action)
		}
	}
	for _, field := range []string{"outcome", "by", "app", "user_id", "session", "client", "all", "sessions", "phone", "cause", "key", "uuid"} {
		if !strings.Contains(section, "\n| `"+field+"` | ") {
			t.Errorf("docs/observability.md does not have the field %s", field)
		}
	}
}
