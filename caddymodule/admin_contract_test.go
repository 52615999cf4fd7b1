package caddymodule_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// adminExamples are requests that succeed, for calls that adminRequest cannot construct.
var adminExamples = map[string]string{
	"POST /wxgate/events/resend": `{"all":true}`,
}

// adminRequest returns a request that succeeds: it names a user who is logged in, the user's
// session, and the signing key.
func (f *fixture) adminRequest(t *testing.T, c *contract, method, path string) string {
	t.Helper()
	operation := c.doc.Paths.Value(path).GetOperation(method)
	if example, ok := adminExamples[method+" "+path]; ok || operation.RequestBody == nil {
		return example
	}
	const person = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"
	login := f.loginAs(wechatsim.DefaultApp.ID, "alice", person)
	known := map[string]string{
		"app": wechatsim.DefaultApp.ID, "openid": login.str(t, "openId"), "key": f.keyIn("signing"),
		"token":   login.str(t, "access_token"),
		"session": f.do("GET", pub+"/session", "", "Authorization", "Bearer "+login.str(t, "access_token")).str(t, "session"),
	}
	schema := operation.RequestBody.Value.Content.Get("application/json").Schema.Value
	request := map[string]string{}
	for name := range schema.Properties {
		if value, ok := known[name]; ok {
			request[name] = value
		}
	}
	if slices.Contains(schema.Required, "unionid") { // otherwise unionid is an alternative to openid
		request["unionid"] = person
	}
	for _, name := range schema.Required {
		if request[name] == "" {
			t.Errorf("%s %s requires %s: add a request to adminExamples", method, path, name)
		}
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAdminContract makes every call in the OpenAPI document of the running gateway, and
// compares requests and responses, including errors, with the document.
func TestAdminContract(t *testing.T) {
	f := newOperatedFixture(t)
	f.config = operated("dev_mode", "issuer wxgate")
	f.load()
	c := newContract(t, []byte(adminGet(t, f.socket(), "/wxgate/openapi.json")))
	sent := http.Header{"Content-Type": {"application/json"}}
	call := func(method, path, body string, want int) {
		t.Helper()
		response, text := f.admin(method, path, body)
		c.check(t, method, path, body, sent, response.StatusCode, response.Header, text)
		if response.StatusCode != want {
			t.Errorf("%s %s %s: %d %s, want %d", method, path, body, response.StatusCode, text, want)
		}
	}
	for _, name := range c.operations() {
		method, path, _ := strings.Cut(name, " ")
		call(method, path, f.adminRequest(t, c, method, path), http.StatusOK)
		if method == http.MethodPost {
			call(method, path, `{"no such member":1}`, http.StatusBadRequest)
		}
	}
	c.complete(t)
	if !c.called["POST /wxgate/user/logout"] || len(c.called) < 3 {
		t.Errorf("the document has only %d calls", len(c.called))
	}
}
