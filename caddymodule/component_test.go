package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// componentSite logs users in through a third-party platform, whose token service is on the
// management address of the simulator.
var componentSite = siteWith{apps: `app wx0000000000000001 {
			component wx00000000000000c1 {env.WXGATE_TEST_SERVICE}
			api {{.API}}
		}`}.String()

func TestComponent(t *testing.T) {
	f := newStoppedFixture(t, wechatsim.Config{Components: []wechatsim.Component{{ID: "wx00000000000000c1"}}}, componentSite)
	service := f.sim.ManagementURL + "/component-token?component=wx00000000000000c1"
	t.Setenv("WXGATE_TEST_SERVICE", service)
	f.load()
	const path = "/sns/component/jscode2session"
	for _, name := range []string{"alice", "bob"} {
		if got, want := f.login(name).str(t, "openId"), wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, name); got != want {
			t.Errorf("openId %q, want %q", got, want)
		}
	}
	f.sim.Sim.ExpireTokens()
	token := f.token("alice")
	if got := f.sim.Sim.Count(path); got != 4 { // two logins, one with an expired token, one retry
		t.Errorf("WeChat was asked %d times, want 4", got)
	}
	used := f.code("alice")
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, used)).want(t, want, "")
	}
	// Encrypted data needs no access token of the app; a phone code does.
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, sealed.EncryptedData, sealed.IV), "Authorization", "Bearer "+token).want(t, http.StatusOK, "")
	f.do("POST", pub+"/decode", `{"code":"x"}`, "Authorization", "Bearer "+token).want(t, http.StatusInternalServerError, "app_misconfigured")
	if got := f.sim.Sim.Count(); got != f.sim.Sim.Count(path) {
		t.Errorf("WeChat received other calls than logins: %d calls in all", got)
	}
}

func TestComponentNotAuthorized(t *testing.T) {
	f := newStoppedFixture(t, wechatsim.Config{Components: []wechatsim.Component{{ID: "wx00000000000000c1", Apps: []string{"wx_other"}}}}, componentSite)
	t.Setenv("WXGATE_TEST_SERVICE", f.sim.ManagementURL+"/component-token?component=wx00000000000000c1")
	f.load()
	f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice"))).want(t, http.StatusInternalServerError, "app_misconfigured")
	for what, value := range map[string]string{"empty": "", "no URL": "127.0.0.1", "a user": "http://u:p@127.0.0.1/"} {
		t.Setenv("WXGATE_TEST_SERVICE", value)
		if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), "token URL") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
