package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

const checkPhonePath = "/wxa/business/checkencryptedmsg"

// newCheckedFixture starts a gateway with encrypted_phone, and a path that requires a phone
// number.
func newCheckedFixture(t *testing.T, value string) *fixture {
	t.Helper()
	return newFixture(t, strings.Replace(siteWith{handler: "require phone on /pay"}.String(), "api {{.API}}", "api {{.API}}\n\t\t\tencrypted_phone "+value, 1))
}

// forgePhone returns a phone number that a user with a decryption oracle has encrypted. It is
// valid, but WeChat did not encrypt it.
func (f *fixture) forgePhone() wechatsim.Encrypted {
	f.t.Helper()
	forged, err := f.sim.Sim.EncryptJSON(wechatsim.User{Name: "mallory"},
		[]byte(`{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`), wechatsim.Sealing{})
	if err != nil {
		f.t.Fatal(err)
	}
	return forged
}

// pays decodes encrypted data, and returns the responses of decode and of the path that
// requires a phone number.
func (f *fixture) pays(data wechatsim.Encrypted, bearer string) (decoded, paid response) {
	f.t.Helper()
	body := `{"encrypted_data":"` + data.EncryptedData + `","iv":"` + data.IV + `"}`
	decoded = f.do("POST", pub+"/decode", body, "Authorization", "Bearer "+bearer)
	if decoded.status == http.StatusOK {
		bearer = decoded.str(f.t, "access_token")
	}
	return decoded, f.do("GET", "/pay", "", "Authorization", "Bearer "+bearer)
}

// TestEncryptedPhoneChecked: with checked, WeChat is asked, and a forged number is refused.
// With verified, the same number is accepted.
func TestEncryptedPhoneChecked(t *testing.T) {
	t.Run("verified", func(t *testing.T) {
		f := newCheckedFixture(t, "verified")
		token := f.token("mallory")
		decoded, paid := f.pays(f.forgePhone(), token)
		decoded.want(t, http.StatusOK, "")
		paid.want(t, http.StatusOK, "")
		if n := f.sim.Sim.Count(checkPhonePath); n != 0 {
			t.Errorf("WeChat was asked %d times", n)
		}
	})
	f := newCheckedFixture(t, "checked")
	t.Run("checked", func(t *testing.T) {
		token := f.token("mallory")
		decoded, paid := f.pays(f.forgePhone(), token)
		decoded.want(t, http.StatusBadRequest, "decrypt_failed")
		paid.want(t, http.StatusForbidden, "phone_required")
		decoded, paid = f.pays(f.encryptedPhone(wechatsim.User{Name: "mallory"}, wechatsim.Sealing{}), token)
		decoded.want(t, http.StatusOK, "")
		paid.want(t, http.StatusOK, "")
	})
	t.Run("WeChat fails", func(t *testing.T) {
		token := f.token("carol")
		phone := f.encryptedPhone(wechatsim.User{Name: "carol"}, wechatsim.Sealing{})
		if err := f.sim.Sim.Arm(fault.Fault{Kind: fault.Quota, Path: checkPhonePath}); err != nil {
			t.Fatal(err)
		}
		for range maxKeyFailures + 1 { // more than lock a key
			decoded, paid := f.pays(phone, token)
			decoded.want(t, http.StatusServiceUnavailable, "wechat_busy")
			paid.want(t, http.StatusForbidden, "phone_required")
		}
		f.sim.Sim.ClearFaults()
		decoded, paid := f.pays(phone, token)
		decoded.want(t, http.StatusOK, "")
		paid.want(t, http.StatusOK, "")
	})
}
