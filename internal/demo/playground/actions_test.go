package playground

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// TestLogin: the arrows are in the order in which the requests were sent, the token is
// decoded, and no secret between the gateway and WeChat is shown.
func TestLogin(t *testing.T) {
	f := newFixture(t)
	a := f.do("login", alice(command{}))
	if a.Status != http.StatusOK || a.Error != "" || !a.Done {
		t.Fatalf("%+v", a)
	}
	messages := f.messages(a.ID)
	if got, want := arrows(messages), "phone>gateway gateway>wechat wechat>gateway gateway>phone"; got != want {
		t.Fatalf("the arrows are %s, want %s", got, want)
	}
	if token := messages[3].Token; token == nil || string(token.Payload) != `{"sub":"alice"}` {
		t.Errorf("the token is %v", token)
	}
	text, err := json.Marshal(messages[1:3])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "00000000000000000000000000000001") || !strings.Contains(string(text), "secret=•••") {
		t.Errorf("the AppSecret is shown: %s", text)
	}
	if !strings.Contains(string(text), `\"session_key\":\"•••\"`) {
		t.Errorf("the session_key of WeChat is shown: %s", text)
	}
	if s := f.state(); len(s.Accounts) != 1 || !s.Accounts[0].In || s.Accounts[0].OpenID != "alice" || len(s.Samples) != 1 {
		t.Errorf("the state is %+v", s)
	}
}

// TestForgedHeader: the page shows what the phone sent and the upstream did not get.
func TestForgedHeader(t *testing.T) {
	f := newFixture(t)
	f.do("login", alice(command{}))
	a := f.do("call", alice(command{Path: "/api/orders", Forge: true}))
	messages := f.messages(a.ID)
	if got, want := arrows(messages), "phone>gateway gateway>upstream upstream>gateway gateway>phone"; got != want {
		t.Fatalf("the arrows are %s, want %s", got, want)
	}
	if !slices.ContainsFunc(messages[0].Headers, func(h describe.Header) bool { return h == describe.Header{Name: "X-WX-OPENID", Value: "mallory"} }) {
		t.Errorf("the phone sent %v", messages[0].Headers)
	}
	for _, want := range []describe.Header{
		{Name: "X-WX-OPENID", Value: "mallory", Mark: "removed"}, {Name: "X-Wx-Openid", Value: "alice", Mark: "replaced"}, {Name: "Authorization", Value: "Bearer " + tokenFor, Mark: "removed"},
	} {
		if !slices.Contains(messages[1].Headers, want) {
			t.Errorf("no %v in %v", want, messages[1].Headers)
		}
	}
	if !strings.Contains(a.Curl, "-H 'X-WX-OPENID: mallory'") || !strings.Contains(a.Curl, "-H 'Authorization: Bearer "+tokenFor+"'") {
		t.Errorf("the command is %s", a.Curl)
	}
}

// TestRefusedCall: a refusal is shown with its code, and reaches no upstream.
func TestRefusedCall(t *testing.T) {
	f := newFixture(t)
	a := f.do("call", alice(command{Path: "/vip/orders"}))
	if a.Status != http.StatusUnauthorized || a.Code != "missing_token" {
		t.Errorf("%+v", a)
	}
	if got := arrows(f.messages(a.ID)); got != "phone>gateway gateway>phone" {
		t.Errorf("the arrows are %s", got)
	}
}

// TestPhoneNumber shares it both ways. The old way needs a login: the phone has no key before.
func TestPhoneNumber(t *testing.T) {
	f := newFixture(t)
	if a := f.do("phone", alice(command{Way: "data"})); a.Error != errNoAccount.Error() {
		t.Errorf("before the login: %+v", a)
	}
	f.do("login", alice(command{}))
	for way, field := range map[string]string{"data": "encrypted_data", "code": "code"} {
		a := f.do("phone", alice(command{Way: way}))
		if a.Status != http.StatusOK || f.state().Accounts[0].Number != "10000000000" {
			t.Errorf("%s: %+v", way, a)
		}
		if body := f.messages(a.ID)[0].Body; !strings.Contains(body, `"`+field+`":`) {
			t.Errorf("%s: the phone sent %s", way, body)
		}
	}
}

// TestRefreshAndLogout: the phone forgets its tokens at the logout.
func TestRefreshAndLogout(t *testing.T) {
	f := newFixture(t)
	if a := f.do("refresh", alice(command{})); a.Error != errNoAccount.Error() {
		t.Errorf("before the login: %+v", a)
	}
	f.do("login", alice(command{}))
	if a := f.do("refresh", alice(command{})); a.Status != http.StatusOK {
		t.Errorf("refresh: %+v", a)
	}
	if a := f.do("logout", alice(command{})); a.Status != http.StatusNoContent || !strings.Contains(a.Curl, "-X POST ") {
		t.Errorf("logout: %+v", a)
	}
	if s := f.state(); s.Accounts[0].In {
		t.Error("the phone has tokens after the logout")
	}
}

// TestOperator: sessions and keys are those of the admin API.
func TestOperator(t *testing.T) {
	f := newFixture(t)
	if a := f.do("end-session", command{Session: "one"}); a.Status != http.StatusOK || !strings.Contains(a.Curl, "--unix-socket '") {
		t.Errorf("%+v", a)
	}
	if a := f.do("rotate-key", command{}); a.Status != http.StatusOK || arrows(f.messages(a.ID)) != "operator>gateway gateway>operator" {
		t.Errorf("%+v", a)
	}
	if want := []string{`/wxgate/sessions/end {"session":"one"}`, `/wxgate/keys/rotate {"immediate":true}`}; !slices.Equal(f.admin, want) {
		t.Errorf("the admin API got %q, want %q", f.admin, want)
	}
	response := f.send(http.MethodGet, "/tables", "", nil)
	defer func() { _ = response.Body.Close() }()
	var tables struct{ Sessions, Keys []map[string]string }
	if err := json.NewDecoder(response.Body).Decode(&tables); err != nil || tables.Sessions[0]["session"] != "one" || tables.Keys[0]["id"] != "key" {
		t.Errorf("the tables are %v (%v)", tables, err)
	}
}

// TestFaults arms two and clears one: the other stays armed.
func TestFaults(t *testing.T) {
	f := newFixture(t)
	f.do("fault", command{Fault: "busy", On: true})
	f.do("fault", command{Fault: "reset", On: true})
	if a := f.do("fault", command{Fault: "busy"}); a.Error != "" || strings.Count(a.Curl, "\n") != 2 {
		t.Errorf("%+v", a)
	}
	if s := f.state(); s.Faults["busy"] || !s.Faults["reset"] {
		t.Errorf("armed: %v", s.Faults)
	}
	a := f.do("login", alice(command{}))
	if a.Status != http.StatusBadGateway || a.Code != "wechat_unavailable" {
		t.Errorf("a login without WeChat: %+v", a)
	}
	if !slices.ContainsFunc(f.messages(a.ID), func(m message) bool { return m.Line == "connection closed without a response" && m.Status == 0 }) {
		t.Errorf("the reset is not shown: %+v", f.messages(a.ID))
	}
	for name := range faults {
		if a := f.do("fault", command{Fault: name, On: true}); a.Error != "" {
			t.Errorf("%s: %s", name, a.Error)
		}
	}
	if a := f.do("fault", command{Fault: "flood", On: true}); !strings.Contains(a.Error, errBadCommand.Error()) {
		t.Errorf("an unknown fault: %+v", a)
	}
}

// TestBadActions: what the page cannot have sent does nothing.
func TestBadActions(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]command{
		"login": {App: "wx9", User: "alice"}, "phone": {App: secondApp, User: "dave"}, "call": alice(command{Path: "orders"}),
		"open": alice(command{Kind: "carrier pigeon"}), "fault": {},
	} {
		a := f.do(name, c)
		if a.Error == "" || len(f.messages(a.ID)) != 0 {
			t.Errorf("%s %+v: %+v", name, c, a)
		}
	}
	for path, body := range map[string]string{"/do/nothing": "{}", "/do/login": `{"other":1}`} {
		response := f.send(http.MethodPost, path, body, nil)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %s: status %d", path, body, response.StatusCode)
		}
	}
}
