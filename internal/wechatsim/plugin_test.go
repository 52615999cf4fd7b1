package wechatsim_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// TestPluginOpenPID: a plugin's code gives an openpid once, to the plugin alone, and it differs
// for each mini program.
func TestPluginOpenPID(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	other := simtest.StableToken(t, srv, simtest.Apps[1], false).AccessToken
	mint := func(host string) string {
		t.Helper()
		code, err := srv.Sim.MintPluginCode(simtest.Alice, host)
		if err != nil {
			t.Fatal(err)
		}
		return code.Code
	}
	ask := func(token, body string) simtest.Reply {
		t.Helper()
		return simtest.Call(t, "POST", simtest.Query(srv.URL+"/wxa/getpluginopenpid", "access_token", token), body)
	}
	of := func(code string) string { return fmt.Sprintf(`{"code":%q}`, code) }

	code := mint("wxhost1")
	simtest.WantCode(t, ask(other, of(code)), 1005)
	first := ask(token, of(code))
	simtest.WantCode(t, first, 0)
	if first.OpenPID != wechatsim.OpenPIDFor(simtest.Apps[0].ID, "wxhost1", "alice") {
		t.Errorf("openpid %q", first.OpenPID)
	}
	if again := ask(token, of(mint("wxhost1"))); again.OpenPID != first.OpenPID {
		t.Errorf("two openpids in one mini program: %q and %q", first.OpenPID, again.OpenPID)
	}
	if elsewhere := ask(token, of(mint("wxhost2"))); elsewhere.OpenPID == first.OpenPID {
		t.Error("one openpid in two mini programs")
	}
	login, err := srv.Sim.MintCode(simtest.Alice, wechatsim.Login{})
	if err != nil {
		t.Fatal(err)
	}
	late := mint("")
	for name, tt := range map[string]struct {
		token, body string
		want        int
	}{
		"used":         {token, of(code), 1007},
		"unknown":      {token, of("x"), 1007},
		"a login code": {token, of(login.Code), 1007},
		"no code":      {token, `{}`, 1001},
		"no JSON":      {token, `{`, 1022},
		"no token":     {"", of(late), 41001},
		"bad token":    {"x", of(late), 40001},
	} {
		t.Run(name, func(t *testing.T) { simtest.WantCode(t, ask(tt.token, tt.body), tt.want) })
	}
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+"/wxa/getpluginopenpid", ""), 43002)
	srv.Sim.Advance(5 * time.Minute)
	simtest.WantCode(t, ask(token, of(late)), 1007)
}

func TestPluginCodesAreWeChats(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{Apps: wechatsim.Siblings()})
	if _, err := sim.MintPluginCode(wechatsim.User{}, ""); !errors.Is(err, wechatsim.ErrNoPluginCodes) {
		t.Errorf("got %v", err)
	}
}

// TestVirtualAccounts: each gives its number in both ways, unless a call names another.
func TestVirtualAccounts(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	for i := range 4 {
		user := wechatsim.User{Name: fmt.Sprintf("virtual%d", i+1)}
		want := fmt.Sprintf("1206660000%d", i+1)
		r := simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q}`, mintPhone(t, srv, user, wechatsim.PhoneNumber{})))
		if r.PhoneInfo.PurePhoneNumber != want || r.PhoneInfo.CountryCode != "86" {
			t.Errorf("%s has %+v", user.Name, r.PhoneInfo)
		}
		r = simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q}`, mintPhone(t, srv, user, wechatsim.PhoneNumber{Number: "10000000001"})))
		if r.PhoneInfo.PurePhoneNumber != "10000000001" {
			t.Errorf("%s has %+v", user.Name, r.PhoneInfo)
		}
	}
	r := simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q}`, mintPhone(t, srv, wechatsim.User{Name: "virtual5"}, wechatsim.PhoneNumber{})))
	if r.PhoneInfo.PurePhoneNumber[:3] != "100" {
		t.Errorf("virtual5 has %+v", r.PhoneInfo)
	}
}
