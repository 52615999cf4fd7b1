package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// result returns the member result of a response in the envelope of docs/migration.md.
func result(t *testing.T, a response, errno any) response {
	t.Helper()
	var e struct {
		Errno  any
		Errmsg string
		Result json.RawMessage
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if a.status != http.StatusOK || e.Errno != errno || e.Errmsg == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("want 200 with errno %v: %d %v %s", errno, a.status, a.header, a.body)
	}
	return response{a.status, a.header, string(e.Result)}
}

// TestDocumentedEnvelope uses the Caddyfile of docs/migration.md: an old client that ignores
// the HTTP status logs in, is refused, decodes data and logs out.
func TestDocumentedEnvelope(t *testing.T) {
	f := newFixture(t, guideCaddyfile(t, "migration.md", "## Clients that expect an envelope"))
	const ok = 200.0
	body := fmt.Sprintf(`{"code":%q}`, f.code("alice"))
	login := result(t, f.do("POST", pub+"/openId", body), ok)
	again := result(t, f.do("POST", pub+"/openId", body), "code_used")
	if again.json(t)["status"] != 401.0 || again.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a used code: %v %s", again.header, again.body)
	}
	sealed := f.sealedPhone(t, wechatsim.Sealing{})
	phone := result(t, f.do("POST", pub+"/decode", fmt.Sprintf(`{%s,"session_key":%q}`, sealed, login.str(t, "session_key"))), ok)
	if phone.str(t, "purePhoneNumber") == "" {
		t.Errorf("the phone is %s", phone.body)
	}
	bearer := []string{"Authorization", "Bearer " + login.str(t, "access_token")}
	f.do("GET", "/orders", "", bearer...).want(t, http.StatusOK, "")
	if out := result(t, f.do("POST", pub+"/logout", "", bearer...), ok); out.body != "{}" {
		t.Errorf("the logout returned %s", out.body)
	}
	result(t, f.do("GET", pub+"/session", "", bearer...), "session_revoked")
	// Responses of guarded paths are not wrapped.
	f.do("GET", "/orders", "", bearer...).want(t, http.StatusUnauthorized, "session_revoked")
	if live := f.do("GET", pub+"/live", ""); live.body != `{"status":"live"}` {
		t.Errorf("live: %s", live.body)
	}
}
