package playground

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestTerminal: what an action of a terminal prints. Alice and the first mini program are the
// defaults, and what is misspelled is refused. TestDev walks through all of it.
func TestTerminal(t *testing.T) {
	f := newFixture(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for _, test := range []struct {
		action, body string
		status       int
		want         string
	}{
		{"refresh", "", http.StatusConflict, "this user is not logged in here; log in first\n"},
		{"login", "user=mallory", http.StatusConflict, "invalid request: unrecognized user \"mallory\"; expected one of: alice, bob, carol\n"},
		{"login", "usr=alice", http.StatusBadRequest, "unrecognized field \"usr\"; expected one of: user, path, way, forge\n"},
		{"login", "%", http.StatusBadRequest, "the body must be a form, as curl -d sends it\n"},
		{"rotate-key", "", http.StatusNotFound, "unrecognized action \"rotate-key\"; expected one of: login, call, phone, refresh, logout\n"},
		{"call", "", http.StatusOK, "phone    → gateway   GET /api/orders\ngateway  → phone     401 Unauthorized missing_token\n"},
		{"login", "", http.StatusOK, "phone    → gateway   POST /v1.0/pub/openId\n    {\n      \"appid\": \""},
		{"call", "path=other", http.StatusConflict, "invalid path; expected one that begins with a slash"},
		{"call", "path=/other", http.StatusOK, "phone    → gateway   GET /other\ngateway  → upstream  GET /other\n"},
		{"call", "forge=yes", http.StatusOK, "phone    → gateway   GET /api/orders\n              X-WX-OPENID: mallory\n"},
	} {
		response := f.send(http.MethodPost, "/sh/"+test.action, test.body, form)
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.HasPrefix(string(body), test.want) {
			t.Errorf("%s %q: %d %v\n%s", test.action, test.body, response.StatusCode, err, body)
		}
	}
}

// TestTerminalNotice: a terminal says what comes first, and that an action is a POST.
func TestTerminalNotice(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct{ method, body, want string }{
		{http.MethodPost, "user=bob&forge=yes", "\nNotice: log in first: curl -d user=bob 127.0.0.1:8089/sh/login\n"},
		{http.MethodGet, "", "send a POST, for example with curl -d user=alice\n"},
	} {
		response := f.send(test.method, "/sh/call", test.body, map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Host": "127.0.0.1:8089"})
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || !strings.HasSuffix(string(body), test.want) {
			t.Errorf("%s %q: %v\n%s", test.method, test.body, err, body)
		}
	}
}
