package wechatsim_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// mintPhone returns a phone code of u.
func mintPhone(t *testing.T, srv *simserver.Server, u wechatsim.User, p wechatsim.PhoneNumber) string {
	t.Helper()
	code, err := srv.Sim.MintPhoneCode(u, p)
	if err != nil {
		t.Fatal(err)
	}
	return code.Code
}

func TestPhoneRefusals(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	code := mintPhone(t, srv, simtest.Alice, wechatsim.PhoneNumber{})
	right := fmt.Sprintf(`{"code":%q}`, code)
	foreign := mintPhone(t, srv, wechatsim.User{App: simtest.Apps[1].ID}, wechatsim.PhoneNumber{})
	for _, tt := range []struct {
		name, token, body string
		want              int
	}{
		{"token missing", "", right, 41001},
		{"token invented", "x", right, 40001},
		{"empty", token, "", 44002},
		{"form", token, "code=" + code, 47001},
		{"code a number", token, `{"code":1}`, 47001},
		{"code missing", token, `{}`, 41008},
		{"code in capitals", token, fmt.Sprintf(`{"Code":%q}`, code), 41008},
		{"code invented", token, `{"code":"x"}`, 40029},
		{"login code", token, fmt.Sprintf(`{"code":%q}`, simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), 40029},
		{"code of another app", token, fmt.Sprintf(`{"code":%q}`, foreign), 40013},
		{"code of another user", token, fmt.Sprintf(`{"code":%q,"openid":"mallory"}`, code), 40029},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simtest.WantCode(t, simtest.Phone(t, srv, tt.token, tt.body), tt.want)
		})
	}
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.Query(srv.URL+"/wxa/business/getuserphonenumber", "access_token", token), ""), 43002)
	// None of it spent the code.
	simtest.WantCode(t, simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q,"openid":"alice"}`, code)), 0)
	simtest.WantCode(t, simtest.Phone(t, srv, token, right), 40163)
	srv.Sim.ExpireTokens()
	simtest.WantCode(t, simtest.Phone(t, srv, token, right), 42001)
}

func TestPhoneCodeExpires(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	code := mintPhone(t, srv, simtest.Alice, wechatsim.PhoneNumber{})
	srv.Sim.Advance(5 * time.Minute)
	simtest.WantCode(t, simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q}`, code)), 40029)
}

func TestPhoneAnswers(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	srv.Sim.Advance(time.Minute)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	for _, tt := range []struct {
		name                string
		number              wechatsim.PhoneNumber
		full, pure, country string
	}{
		{"default", wechatsim.PhoneNumber{}, wechatsim.FakePhone("alice"), wechatsim.FakePhone("alice"), "86"},
		{"mainland", wechatsim.PhoneNumber{Number: "10000000001"}, "10000000001", "10000000001", "86"},
		{"mainland with its code", wechatsim.PhoneNumber{Number: "+8610000000001"}, "10000000001", "10000000001", "86"},
		{"foreign", wechatsim.PhoneNumber{Number: "7700900123", Country: "44"}, "+447700900123", "7700900123", "44"},
		{"foreign with its code", wechatsim.PhoneNumber{Number: "+447700900123", Country: "44"}, "+447700900123", "7700900123", "44"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := mintPhone(t, srv, simtest.Alice, tt.number)
			r := simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q}`, code))
			simtest.WantCode(t, r, 0)
			got := r.PhoneInfo
			if got.PhoneNumber != tt.full || got.PurePhoneNumber != tt.pure || got.CountryCode != tt.country {
				t.Errorf("= %q %q %q, want %q %q %q", got.PhoneNumber, got.PurePhoneNumber, got.CountryCode, tt.full, tt.pure, tt.country)
			}
			if got.Watermark.AppID != simtest.Apps[0].ID || got.Watermark.Timestamp != simtest.Epoch.Add(time.Minute).Unix() {
				t.Errorf("watermark = %+v", got.Watermark)
			}
		})
	}
}

func TestPhoneNumbersThatCannotBe(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, p := range []wechatsim.PhoneNumber{
		{Number: "+447700900123"}, // whose country is not given
		{Number: "100-0000"}, {Number: "+86"}, {Number: "1", Country: "GB"},
	} {
		if _, err := srv.Sim.MintPhoneCode(simtest.Alice, p); !errors.Is(err, wechatsim.ErrBadPhone) {
			t.Errorf("%+v: %v, want ErrBadPhone", p, err)
		}
	}
}

// TestEncryptedPhonesAreKnown: WeChat knows the hash of what the button encrypted, for its
// app and for three days, and of nothing else.
func TestEncryptedPhonesAreKnown(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	foreign := simtest.StableToken(t, srv, simtest.Apps[1], false).AccessToken
	simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
	check := func(token, body string, want int) {
		t.Helper()
		simtest.WantCode(t, simtest.Call(t, "POST", simtest.Query(srv.URL+"/wxa/business/checkencryptedmsg", "access_token", token), body), want)
	}
	hash := func(sealed wechatsim.Encrypted, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"encrypted_msg_hash":"%x"}`, sha256.Sum256([]byte(sealed.EncryptedData)))
	}
	made := hash(srv.Sim.EncryptPhone(simtest.Alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{}))
	check(token, made, 0)
	check(token, made, 0) // nothing is spent
	check(foreign, made, 1)
	check(token, hash(srv.Sim.EncryptJSON(simtest.Alice, []byte(`{"phoneNumber":"1"}`), wechatsim.Sealing{})), 1)
	check(token, hash(srv.Sim.EncryptProfile(simtest.Alice, wechatsim.Profile{}, wechatsim.Sealing{})), 1)
	check(token, `{"encrypted_msg_hash":"x"}`, 40097)
	check(token, `{}`, 40097)
	check(token, "", 44002)
	check(token, "hash=x", 47001)
	check("x", made, 40001)
	srv.Sim.Advance(3*24*time.Hour + time.Second)
	check(simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken, made, 1)
}
