package wechatsim_test

import (
	"context"
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

func TestZeroConfigWorks(t *testing.T) {
	t.Parallel()
	srv, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	code := mint(t, srv, wechatsim.User{}, wechatsim.Login{})
	r := call(t, http.MethodGet, loginURL(srv, wechatsim.DefaultApp, code), "")
	wantCode(t, r, 0)
	if want := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"); r.OpenID != want || len(want) != 28 {
		t.Errorf("openid = %q, want %q of 28 characters", r.OpenID, want)
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	srv := start(t)
	resp, body := send(t, http.MethodGet, srv.URL+"/wxa/nothing", "")
	if resp.StatusCode != http.StatusNotFound || strings.Contains(body, "errcode") {
		t.Errorf("= %d %q, want 404 without errcode", resp.StatusCode, body)
	}
}
