package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// adminExamples are requests of every call of the admin API that succeed, by "POST /path": a
// new call needs one here. {app} and {openid} are those of a user who is logged in, {key} is the
// signing key.
var adminExamples = map[string]string{
	"GET /wxgate/":                   "",
	"GET /wxgate/openapi.json":       "",
	"GET /wxgate/keys":               "",
	"POST /wxgate/keys/rotate":       `{"immediate":true}`,
	"POST /wxgate/keys/retire":       `{"key":"{key}"}`,
	"POST /wxgate/user/logout":       `{"app":"{app}","openid":"{openid}"}`,
	"POST /wxgate/session-key/check": `{"app":"{app}","openid":"{openid}"}`,
	"POST /wxgate/session-key/reset": `{"app":"{app}","openid":"{openid}"}`,
}

// TestAdminContract makes every call that the OpenAPI document of the running gateway has,
// and compares requests and responses, errors too, with it.
func TestAdminContract(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	c := newContract(t, []byte(adminGet(t, f.socket(), "/wxgate/openapi.json")))
	sent := http.Header{"Content-Type": {"application/json"}}
	call := func(name, body string) int {
		t.Helper()
		method, path, _ := strings.Cut(name, " ")
		response, text := f.admin(method, path, body)
		c.check(t, method, path, body, sent, response.StatusCode, response.Header, text)
		return response.StatusCode
	}
	for _, name := range c.operations() {
		example, ok := adminExamples[name]
		if !ok {
			t.Errorf("%s has no example in adminExamples", name)
			continue
		}
		example = strings.NewReplacer(
			"{app}", wechatsim.DefaultApp.ID, "{openid}", f.login("alice").str(t, "openId"), "{key}", f.keyIn("signing"),
		).Replace(example)
		if status := call(name, example); status != http.StatusOK {
			t.Errorf("%s %s: %d", name, example, status)
		}
		if strings.HasPrefix(name, http.MethodPost) {
			if status := call(name, `{"no such member":1}`); status != http.StatusBadRequest {
				t.Errorf("%s with an unknown member: %d", name, status)
			}
		}
	}
	c.complete(t)
	for name := range adminExamples {
		if !c.called[name] {
			t.Errorf("%s has an example and is not documented", name)
		}
	}
}
