// Package simtest has what the tests of the simulator share: two mini programs, a simulator
// whose clock does not run, and calls of its API.
package simtest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// Apps are the two mini programs of the tests: a code of one is not the
// other's.
var Apps = []wechatsim.App{
	{ID: "wxaaaaaaaaaaaaaaaa", Secret: "secret-a"},
	{ID: "wxbbbbbbbbbbbbbbbb", Secret: "secret-b"},
}

// OfficialApp and WebsiteApp are the apps of web logins in the tests.
var (
	OfficialApp = wechatsim.App{ID: "wxcccccccccccccccc", Secret: "secret-c", Kind: wechatsim.Official}
	WebsiteApp  = wechatsim.App{ID: "wxdddddddddddddddd", Secret: "secret-d", Kind: wechatsim.Website, Callbacks: []string{"www.example.com"}}
)

// Alice is the user of most tests.
var Alice = wechatsim.User{OpenID: "alice"}

// Epoch is the time of the tests' clock until Advance moves it: noon in
// Beijing, so that no test crosses a day unawares.
var Epoch = time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)

// Start runs a simulator with a clock that does not move by itself, for one test.
func Start(t testing.TB) *simserver.Server {
	t.Helper()
	srv, err := simserver.Start(t.Context(), wechatsim.Config{
		Apps: append(slices.Clone(Apps), OfficialApp, WebsiteApp), Seed: 1, Now: func() time.Time { return Epoch },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// Client keeps no connection: net/http repeats a GET on one that was reset.
var Client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Reply has the members of all of WeChat's responses.
type Reply struct {
	ErrCode     int      `json:"errcode"`
	ErrMsg      string   `json:"errmsg"`
	OpenID      string   `json:"openid"`
	UnionID     string   `json:"unionid"`
	SessionKey  string   `json:"session_key"`
	OpenPID     string   `json:"openpid"`
	AccessToken string   `json:"access_token"`
	ExpiresIn   int      `json:"expires_in"`
	Addresses   []string `json:"ip_list"`
	Refresh     string   `json:"refresh_token"`
	Scope       string   `json:"scope"`
	Snapshot    int      `json:"is_snapshotuser"`
	NickName    string   `json:"nickname"`
	HeadImgURL  string   `json:"headimgurl"`
	PhoneInfo   struct {
		PhoneNumber     string `json:"phoneNumber"`
		PurePhoneNumber string `json:"purePhoneNumber"`
		CountryCode     string `json:"countryCode"`
		Watermark       struct {
			Timestamp int64  `json:"timestamp"`
			AppID     string `json:"appid"`
		} `json:"watermark"`
	} `json:"phone_info"`
}

// Send makes a request and returns status, header and body.
func Send(t testing.TB, method, target, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

// Call makes an API request that must return 200 and JSON: as text/plain, or where a picture is
// expected as what it is.
func Call(t testing.TB, method, target, body string) Reply {
	t.Helper()
	resp, got := Send(t, method, target, body) //nolint:bodyclose // Send has read and closed it
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK || kind != "text/plain" && kind != "application/json; encoding=utf-8" {
		t.Fatalf("%s %s = %d %q, want 200 and JSON", method, target, resp.StatusCode, kind)
	}
	var r Reply
	if err := json.Unmarshal([]byte(got), &r); err != nil {
		t.Fatalf("%s %s: %v in %q", method, target, err, got)
	}
	return r
}

// WantCode fails unless r is that errcode, with a message and a request id.
func WantCode(t testing.TB, r Reply, want int) {
	t.Helper()
	if r.ErrCode != want {
		t.Fatalf("errcode = %d %q, want %d", r.ErrCode, r.ErrMsg, want)
	}
	if want != 0 && !strings.Contains(r.ErrMsg, " rid: ") && !strings.Contains(r.ErrMsg, ", hints: [ req_id: ") {
		t.Errorf("errmsg = %q, want a request id at its end", r.ErrMsg)
	}
}

// Query builds path?name=value&... from pairs.
func Query(path string, pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + v.Encode()
}

// LoginURL is a right login of app with code.
func LoginURL(srv *simserver.Server, app wechatsim.App, code string) string {
	return Query(srv.URL+"/sns/jscode2session",
		"appid", app.ID, "secret", app.Secret, "js_code", code, "grant_type", "authorization_code")
}

// Mint returns a login code of u.
func Mint(t testing.TB, srv *simserver.Server, u wechatsim.User, l wechatsim.Login) string {
	t.Helper()
	code, err := srv.Sim.MintCode(u, l)
	if err != nil {
		t.Fatal(err)
	}
	return code.Code
}

// Login logs u in and returns the response.
func Login(t testing.TB, srv *simserver.Server, u wechatsim.User, l wechatsim.Login) Reply {
	t.Helper()
	r := Call(t, http.MethodGet, LoginURL(srv, Apps[0], Mint(t, srv, u, l)), "")
	WantCode(t, r, 0)
	return r
}

// WaitForRequest returns once the API has seen a request.
func WaitForRequest(t testing.TB, srv *simserver.Server) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for srv.Sim.Count() == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("no request came")
		}
	}
}

// Decrypt undoes a phone's encryption with the standard library alone, and
// checks every byte of the padding.
func Decrypt(t testing.TB, sessionKey string, e wechatsim.Encrypted) []byte {
	t.Helper()
	var raw [3][]byte
	for i, text := range []string{sessionKey, e.IV, e.EncryptedData} {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	block, err := aes.NewCipher(raw[0])
	if err != nil {
		t.Fatal(err)
	}
	data := raw[2]
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		t.Fatalf("ciphertext of %d bytes", len(data))
	}
	cipher.NewCBCDecrypter(block, raw[1]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.HasSuffix(data, bytes.Repeat([]byte{byte(pad)}, pad)) {
		t.Fatalf("padding % x", data[len(data)-aes.BlockSize:])
	}
	return data[:len(data)-pad]
}

// LoginPath is that of the login call.
const LoginPath = "/sns/jscode2session"

// StableToken calls /cgi-bin/stable_token of an app.
func StableToken(t testing.TB, srv *simserver.Server, app wechatsim.App, force bool) Reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"grant_type": "client_credential", "appid": app.ID, "secret": app.Secret, "force_refresh": force,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Call(t, "POST", srv.URL+"/cgi-bin/stable_token", string(body))
}

// TokenCode is the errcode a token meets. A good one gets as far as the user,
// who has no session_key: 87007.
func TokenCode(t testing.TB, srv *simserver.Server, token string) int {
	t.Helper()
	return Call(t, "GET", Query(srv.URL+"/wxa/checksession",
		"access_token", token, "openid", "nobody", "signature", "x", "sig_method", "hmac_sha256"), "").ErrCode
}

// Phone exchanges a phone code with a token.
func Phone(t testing.TB, srv *simserver.Server, token, body string) Reply {
	t.Helper()
	return Call(t, "POST", Query(srv.URL+"/wxa/business/getuserphonenumber", "access_token", token), body)
}

// Arm arms f on srv.
func Arm(t testing.TB, srv *simserver.Server, f fault.Fault) {
	t.Helper()
	if err := srv.Sim.Arm(f); err != nil {
		t.Fatal(err)
	}
}
