package simserver_test

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// API security is turned on by a call, which returns what the console shows; plain requests
// are then refused as WeChat documents it, and calls that do not support it go on.
func TestManagementAPISecurity(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	if got := manage(t, srv, 400, "GET", "/api-security", ""); !strings.Contains(got, "has no API security") {
		t.Errorf("before: %s", got)
	}
	var shown, again, during, after apisecurity.Console
	manageJSON(t, srv, "POST", "/api-security", `{}`, &shown)
	manageJSON(t, srv, "GET", "/api-security?appid="+simtest.Apps[0].ID, "", &again)
	if shown.Encrypt.Serial == "" || again.Encrypt != shown.Encrypt || len(shown.Verify) != 1 ||
		!strings.HasPrefix(shown.Sign.Value, "-----BEGIN RSA PRIVATE KEY-----") {
		t.Errorf("%+v and %+v", shown, again)
	}
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	simtest.WantCode(t, simtest.Phone(t, srv, token, `{"code":"x"}`), apisecurity.MissingAppID)
	other := simtest.StableToken(t, srv, simtest.Apps[1], false).AccessToken
	simtest.WantCode(t, simtest.Phone(t, srv, other, `{"code":"x"}`), 40029)
	manageJSON(t, srv, "POST", "/api-security/certificate", `{}`, &during)
	manageJSON(t, srv, "POST", "/api-security/certificate", `{}`, &after)
	if len(during.Verify) != 2 || during.Verify[1] != shown.Verify[0] || len(after.Verify) != 1 || after.Verify[0] != during.Verify[0] {
		t.Errorf("%d certificates during the change, %d after it", len(during.Verify), len(after.Verify))
	}
	for _, path := range []string{"/api-security", "/api-security/certificate"} {
		manage(t, srv, 400, "POST", path, `{"appid":"wxnone"}`)
		manage(t, srv, 400, "POST", path, `{"app":"x"}`)
	}
}
