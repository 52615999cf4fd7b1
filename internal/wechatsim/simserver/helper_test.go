package simserver_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// apps are the two mini programs of the tests: a code of one is not the
// other's.
var apps = []wechatsim.App{
	{ID: "wxaaaaaaaaaaaaaaaa", Secret: "secret-a"},
	{ID: "wxbbbbbbbbbbbbbbbb", Secret: "secret-b"},
}

const loginPath = "/sns/jscode2session"

var alice = wechatsim.User{OpenID: "alice"}

// epoch is where the tests' clock stands until Advance moves it: noon in
// Beijing, so that no test crosses a day unawares.
var epoch = time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start runs a simulator whose clock stands still, for one test.
func start(t *testing.T) *simserver.Server {
	t.Helper()
	srv, err := simserver.Start(t.Context(), wechatsim.Config{
		Apps: apps, Seed: 1, Now: func() time.Time { return epoch },
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

// client keeps no connection: net/http repeats a GET on one that was reset.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// reply is the union of WeChat's answers.
type reply struct {
	ErrCode     int    `json:"errcode"`
	ErrMsg      string `json:"errmsg"`
	OpenID      string `json:"openid"`
	UnionID     string `json:"unionid"`
	SessionKey  string `json:"session_key"`
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
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

// send makes a request and returns status, header and body.
func send(t *testing.T, method, target, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
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

// call makes an API request that must answer 200 and JSON as text/plain.
func call(t *testing.T, method, target, body string) reply {
	t.Helper()
	resp, got := send(t, method, target, body)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain" {
		t.Fatalf("%s %s = %d %q, want 200 text/plain", method, target, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var r reply
	if err := json.Unmarshal([]byte(got), &r); err != nil {
		t.Fatalf("%s %s: %v in %q", method, target, err, got)
	}
	return r
}

// wantCode fails unless r is that errcode, with a message and a request id.
func wantCode(t *testing.T, r reply, want int) {
	t.Helper()
	if r.ErrCode != want {
		t.Fatalf("errcode = %d %q, want %d", r.ErrCode, r.ErrMsg, want)
	}
	if want != 0 && !strings.Contains(r.ErrMsg, " rid: ") && !strings.Contains(r.ErrMsg, ", hints: [ req_id: ") {
		t.Errorf("errmsg = %q, want a request id at its end", r.ErrMsg)
	}
}

// query builds path?name=value&... from pairs.
func query(path string, pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + v.Encode()
}

// loginURL is a right login of app with code.
func loginURL(srv *simserver.Server, app wechatsim.App, code string) string {
	return query(srv.URL+"/sns/jscode2session",
		"appid", app.ID, "secret", app.Secret, "js_code", code, "grant_type", "authorization_code")
}

// mint returns a login code of u.
func mint(t *testing.T, srv *simserver.Server, u wechatsim.User, l wechatsim.Login) string {
	t.Helper()
	code, err := srv.Sim.MintCode(u, l)
	if err != nil {
		t.Fatal(err)
	}
	return code.Code
}

// login logs u in and returns the answer.
func login(t *testing.T, srv *simserver.Server, u wechatsim.User, l wechatsim.Login) reply {
	t.Helper()
	r := call(t, http.MethodGet, loginURL(srv, apps[0], mint(t, srv, u, l)), "")
	wantCode(t, r, 0)
	return r
}

// waitForRequest returns once the API has seen a request.
func waitForRequest(t *testing.T, srv *simserver.Server) {
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

// stableToken calls /cgi-bin/stable_token of an app.
func stableToken(t *testing.T, srv *simserver.Server, app wechatsim.App, force bool) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"grant_type": "client_credential", "appid": app.ID, "secret": app.Secret, "force_refresh": force,
	})
	if err != nil {
		t.Fatal(err)
	}
	return call(t, "POST", srv.URL+"/cgi-bin/stable_token", string(body))
}

// tokenCode is the errcode a token meets. A good one gets as far as the user,
// who has no session_key: 87007.
func tokenCode(t *testing.T, srv *simserver.Server, token string) int {
	t.Helper()
	return call(t, "GET", query(srv.URL+"/wxa/checksession",
		"access_token", token, "openid", "nobody", "signature", "x", "sig_method", "hmac_sha256"), "").ErrCode
}

// phone exchanges a phone code with a token.
func phone(t *testing.T, srv *simserver.Server, token, body string) reply {
	t.Helper()
	return call(t, "POST", query(srv.URL+"/wxa/business/getuserphonenumber", "access_token", token), body)
}

// decrypt undoes a phone's encryption with the standard library alone, and
// checks every byte of the padding.
func decrypt(t *testing.T, sessionKey string, e wechatsim.Encrypted) []byte {
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

// arm arms f on srv.
func arm(t *testing.T, srv *simserver.Server, f wechatsim.Fault) {
	t.Helper()
	if err := srv.Sim.Arm(f); err != nil {
		t.Fatal(err)
	}
}
