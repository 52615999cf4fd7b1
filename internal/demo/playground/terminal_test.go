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
		{"login", "user=mallory", http.StatusConflict, "unknown user or mini program\n"},
		{"login", "usr=alice", http.StatusBadRequest, "unrecognized field \"usr\"; expected one of: user, path, way, forge\n"},
		{"login", "%", http.StatusBadRequest, "the body must be a form, as curl -d sends it\n"},
		{"rotate-key", "", http.StatusNotFound, "404 page not found\n"},
		{"login", "", http.StatusOK, "phone    → gateway   POST /v1.0/pub/openId\n    {\n      \"appid\": \""},
		{"call", "path=/other", http.StatusConflict, "bad action: unrecognized path \"/other\""},
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
