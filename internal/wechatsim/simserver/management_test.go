package simserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/requestlog"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// manage makes a management request that must return status.
func manage(t *testing.T, srv *simserver.Server, status int, method, path, body string) string {
	t.Helper()
	resp, got := simtest.Send(t, method, srv.ManagementURL+path, body)
	if resp.StatusCode != status {
		t.Fatalf("%s %s = %d %q, want %d", method, path, resp.StatusCode, got, status)
	}
	return got
}

// manageJSON is manage for a response 200 in JSON, read into v.
func manageJSON(t *testing.T, srv *simserver.Server, method, path, body string, v any) {
	t.Helper()
	got := manage(t, srv, 200, method, path, body)
	if err := json.Unmarshal([]byte(got), v); err != nil {
		t.Fatalf("%s %s: %v in %q", method, path, err, got)
	}
}

func TestManagementCodes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	code := manage(t, srv, 200, "GET", "/code?openid=alice", "")
	r := simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), "")
	if r.OpenID != "alice" {
		t.Errorf("openid = %q, want alice", r.OpenID)
	}
	var full wechatsim.Code
	manageJSON(t, srv, "POST", "/codes",
		`{"appid":"wxbbbbbbbbbbbbbbbb","user":"bob","unionid":"u","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`, &full)
	r = simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[1], full.Code), "")
	if r.OpenID != wechatsim.OpenIDFor(simtest.Apps[1].ID, "bob") || r.UnionID != "u" || r.SessionKey != "tiihtNczf5v6AKRyjwEUhQ==" {
		t.Errorf("= %+v", r)
	}
	if got := manage(t, srv, 200, "GET", "/session-key?appid=wxbbbbbbbbbbbbbbbb&user=bob", ""); got != r.SessionKey {
		t.Errorf("session-key = %q, want %q", got, r.SessionKey)
	}
}

func TestManagementPhoneCodes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	code := manage(t, srv, 200, "GET", "/phone-code?openid=alice&phone=10000000001", "")
	var full wechatsim.Code
	manageJSON(t, srv, "POST", "/phone-codes", `{"openid":"alice","phone":"7700900123","country":"44"}`, &full)
	for code, want := range map[string]string{code: "10000000001", full.Code: "+447700900123"} {
		if got := simtest.Phone(t, srv, token, fmt.Sprintf(`{"code":%q,"openid":"alice"}`, code)).PhoneInfo.PhoneNumber; got != want {
			t.Errorf("phoneNumber = %q, want %q", got, want)
		}
	}
}

// TestManagementSaysWhatToChange has the advice of refused calls.
func TestManagementSaysWhatToChange(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/code?usr=alice", "", `unknown field "usr"; GET / lists the members`},
		{"POST", "/codes", "user=alice", "the body must be JSON"},
		{"GET", "/code?appid=none", "", "GET /apps lists the apps"},
		{"POST", "/faults", `{"kind":"bsy"}`, `unrecognized kind "bsy"; expected one of: [busy errcode`},
	} {
		if said := manage(t, srv, 400, c.method, c.path, c.body); !strings.Contains(said, c.want) {
			t.Errorf("%s %s %s: %s, want %s", c.method, c.path, c.body, said, c.want)
		}
	}
}

func TestManagementEncrypts(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	manage(t, srv, 409, "GET", "/encrypted-phone?openid=alice", "")
	key := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	var snake struct {
		Data string `json:"encrypted_data"`
		IV   string `json:"iv"`
		Raw  string `json:"raw_data"`
		Sig  string `json:"signature"`
	}
	manageJSON(t, srv, "GET", "/encrypted-phone?openid=alice&phone=10000000001&watermark_appid=wxother&watermark_timestamp=5", "", &snake)
	got := simtest.Decrypt(t, key, wechatsim.Encrypted{EncryptedData: snake.Data, IV: snake.IV})
	if want := `"watermark":{"timestamp":5,"appid":"wxother"}}`; !strings.HasSuffix(string(got), want) {
		t.Errorf("plaintext = %s, want it to end in %s", got, want)
	}
	manageJSON(t, srv, "GET", "/encrypted-profile?openid=alice", "", &snake)
	if snake.Sig != wechatsim.DataSignature(snake.Raw, key) || snake.Raw == "" {
		t.Errorf("raw_data %q signed %q", snake.Raw, snake.Sig)
	}
	for body, want := range map[string]string{
		`{"openid":"alice","kind":"phone","phone":"10000000001"}`:                 `{"phoneNumber":"10000000001"`,
		`{"openid":"alice","kind":"profile","profile":{"nickName":"Band"}}`:       `{"openId":"alice","nickName":"Band"`,
		`{"openid":"alice","kind":"json","json":{"stepInfoList":[]}}`:             `{"stepInfoList":[],"watermark"`,
		`{"openid":"alice","kind":"json","json":{"stepInfoList":1},"exact":true}`: `{"stepInfoList":1}`,
	} {
		var e wechatsim.Encrypted
		manageJSON(t, srv, "POST", "/encrypt", body, &e)
		if got := string(simtest.Decrypt(t, key, e)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: plaintext = %s, want %s…", body, got, want)
		}
	}
}

func TestManagementUsers(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	key := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	if got := manage(t, srv, 200, "POST", "/session-key/rotate", `{"openid":"alice"}`); got == key {
		t.Error("the key was not rotated")
	}
	manage(t, srv, 204, "DELETE", "/session-key?openid=alice", "")
	manage(t, srv, 409, "GET", "/session-key?openid=alice", "")
	for body, want := range map[string]int{`{"openid":"alice"}`: 40226, `{"openid":"alice","high_risk":false}`: 0} {
		manage(t, srv, 204, "POST", "/high-risk", body)
		simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), ""), want)
	}
}

func TestManagementRiskRank(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	manage(t, srv, 204, "POST", "/risk-rank", `{"openid":"alice","risk_rank":3}`)
	manage(t, srv, 400, "POST", "/risk-rank", `{"openid":"alice","risk_rank":5}`)
	if got := manage(t, srv, 200, "GET", "/users", ""); !strings.Contains(got, `"openid":"alice"`) || !strings.Contains(got, `"risk_rank":3`) {
		t.Errorf("users = %s", got)
	}
}

func TestManagementClockAndTokens(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	if got := manage(t, srv, 200, "POST", "/clock", `{"advance":"5m"}`); got != `{"now":"2026-07-01T04:05:00Z"}` {
		t.Errorf("clock = %s", got)
	}
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40029)
	manage(t, srv, 204, "POST", "/expire-tokens", "")
	if got := simtest.TokenCode(t, srv, token); got != 42001 {
		t.Errorf("token = %d, want 42001", got)
	}
}

func TestManagementRequests(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.StableToken(t, srv, simtest.Apps[0], false)
	simtest.Send(t, "GET", srv.URL+"/nothing", "")
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), 41002)

	var all, logins []requestlog.Request
	manageJSON(t, srv, "GET", "/requests", "", &all)
	manageJSON(t, srv, "GET", "/requests?path="+simtest.LoginPath, "", &logins)
	if len(all) != 4 || len(logins) != 2 || srv.Sim.Count() != 4 || srv.Sim.Count(simtest.LoginPath) != 2 {
		t.Fatalf("%d and %d requests, counted %d and %d, want 4 and 2", len(all), len(logins), srv.Sim.Count(), srv.Sim.Count(simtest.LoginPath))
	}
	if q := all[0].Query; q.Get("secret") != simtest.Apps[0].Secret || q.Get("js_code") == "" || all[0].Result != protocol.OK {
		t.Errorf("login noted as %+v", all[0])
	}
	if !strings.Contains(all[1].Body, `"force_refresh":false`) || all[1].Method != "POST" {
		t.Errorf("stable_token noted as %+v", all[1])
	}
	if all[2].Result != protocol.NotFound || all[3].Result != protocol.Error || all[3].ErrCode != 41002 {
		t.Errorf("refusals noted as %+v and %+v", all[2], all[3])
	}
	manage(t, srv, 204, "DELETE", "/requests", "")
	if n := srv.Sim.Count() + srv.Sim.Count(simtest.LoginPath) + len(srv.Sim.Requests()); n != 0 {
		t.Errorf("%d left", n)
	}
}

func TestRequestLogIsBoundedAndCountsOn(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	const n = 10_050
	for range n {
		sim.API().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nothing", nil))
	}
	if kept, counted := len(sim.Requests()), sim.Count("/nothing"); kept != 10_000 || counted != n {
		t.Errorf("kept %d, counted %d, want 10000 and %d", kept, counted, n)
	}
}

func TestManagementFaults(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	manage(t, srv, 200, "POST", "/faults", `{"path":"/sns/jscode2session","kind":"errcode","errcode":"40029","times":1,"delay":"1ms","after":true}`)
	got := manage(t, srv, 200, "POST", "/faults", `{"kind":"errcode","errcode":-1}`)
	const want = `[{"path":"/sns/jscode2session","kind":"errcode","times":1,"delay":"1ms","after":true,"errcode":40029,"as_string":true},{"path":"*","kind":"errcode","errcode":-1}]`
	if got != want || manage(t, srv, 200, "GET", "/faults", "") != want {
		t.Errorf("faults = %s, want %s", got, want)
	}
	if _, body := simtest.Send(t, "GET", srv.URL+simtest.LoginPath, ""); !strings.HasPrefix(body, `{"errcode":"40029"`) {
		t.Errorf("body = %s", body)
	}
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), -1)
	manage(t, srv, 204, "DELETE", "/faults", "")
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), 41002)
}

func TestManagementRefusals(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/code?opneid=alice", ""},
		{"GET", "/code?appid=wx0", ""},
		{"GET", "/code?session_key=short", ""},
		{"GET", "/phone-code?phone=nobody", ""},
		{"GET", "/session-key?appid=wx0", ""},
		{"GET", "/encrypted-phone?watermark_timestamp=noon", ""},
		{"POST", "/codes", `{"opneid":"alice"}`},
		{"POST", "/codes", `{} {}`},
		{"POST", "/codes", `openid=alice`},
		{"POST", "/encrypt", `{"kind":"secret"}`},
		{"POST", "/clock", `{}`},
		{"POST", "/clock", `{"advance":"-1s"}`},
		{"POST", "/faults", `{"kind":"nonsense"}`},
		{"POST", "/faults", `{"kind":"errcode","errcode":"x"}`},
		{"POST", "/faults", `{"kind":"busy","delay":"soon"}`},
		{"POST", "/codes", `{"user":"` + strings.Repeat("x", 1<<20) + `"}`},
	} {
		manage(t, srv, 400, tt.method, tt.path, tt.body)
	}
	manage(t, srv, 404, "GET", "/nothing", "")
	manage(t, srv, 405, "POST", "/code", "")
	if help := manage(t, srv, 200, "GET", "/", ""); !strings.Contains(help, "GET    /code ") {
		t.Errorf("help = %q", help)
	}
}

// Attack: a simulator left running; another machine, or a web page whose name
// was pointed at 127.0.0.1, asks it for a login code.
func TestManagementAnswersThisMachineOnly(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for _, tt := range []struct {
		peer, host string
		want       int
	}{
		{"127.0.0.1:9", "127.0.0.1:8", 200},
		{"[::1]:9", "localhost", 200},
		{"192.0.2.1:9", "127.0.0.1", 403},
		{"127.0.0.1:9", "evil.example", 403},
		{"127.0.0.1:9", "127.0.0.1.evil.example:80", 403},
		{"", "localhost", 403},
	} {
		r := httptest.NewRequest(http.MethodGet, "/code", nil)
		r.RemoteAddr, r.Host = tt.peer, tt.host
		w := httptest.NewRecorder()
		simserver.Management(sim, "http://127.0.0.1:1").ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("from %q for %q = %d, want %d", tt.peer, tt.host, w.Code, tt.want)
		}
	}
}

// TestManagementPush configures a server, pushes to it, and lists both.
func TestManagementPush(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	manage(t, srv, 400, "POST", "/push", `{"user":"alice"}`)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		_, _ = io.WriteString(w, r.URL.Query().Get("echostr"))
	}))
	defer server.Close()
	target := fmt.Sprintf(`{"appid":"wxbbbbbbbbbbbbbbbb","url":%q,"token":"t","format":"xml"}`, server.URL)
	if said := manage(t, srv, 200, "POST", "/push-targets", target); !strings.Contains(said, `"status":200`) || strings.Contains(said, "problem") {
		t.Errorf("configured: %s", said)
	}
	manage(t, srv, 400, "POST", "/push-targets", strings.Replace(target, "xml", "yaml", 1))
	if said := manage(t, srv, 200, "GET", "/push-targets", ""); !strings.Contains(said, `"mode":"plain","format":"xml"`) {
		t.Errorf("targets: %s", said)
	}
	manage(t, srv, 200, "POST", "/push", `{"appid":"wxbbbbbbbbbbbbbbbb","user":"alice","type":"user_enter_tempsession","value":"shop"}`)
	if len(got) != 2 || !strings.Contains(got[1], "<SessionFrom><![CDATA[shop]]></SessionFrom>") {
		t.Errorf("the server got %q", got)
	}
	if said := manage(t, srv, 200, "GET", "/pushes", ""); !strings.Contains(said, `"outcome":"success"`) {
		t.Errorf("pushes: %s", said)
	}
}
