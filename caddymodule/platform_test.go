package caddymodule_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// until stands for a Retry-After that depends on the time of day.
const until = "until midnight"

// unhappy is a failure of WeChat, and the response that a client gets.
type unhappy struct {
	name       string
	fault      fault.Fault
	status     int
	code       string
	retryAfter string // "" for none
	errcode    int    // 0 for none
}

func errcode(n int) fault.Fault {
	return fault.Fault{Kind: fault.ErrCode, ErrCode: n}
}

func failing(kind fault.Kind) fault.Fault { return fault.Fault{Kind: kind} }

// TestUnhappyLogin makes WeChat fail during a login, in the ways of wechat-api.md section 1.12.
func TestUnhappyLogin(t *testing.T) {
	for _, tc := range []unhappy{
		{"busy", failing(fault.Busy), 503, "wechat_busy", "1", -1},
		{"bad code", errcode(40029), 401, "invalid_code", "", 40029},
		{"bad code, as a string", fault.Fault{Kind: fault.ErrCode, ErrCode: 40029, AsString: true}, 401, "invalid_code", "", 40029},
		{"used code", errcode(40163), 401, "code_used", "", 40163},
		{"risk", errcode(40226), 403, "risk_blocked", "", 40226},
		{"code missing", errcode(41008), 400, "invalid_request", "", 41008},
		{"bad arguments", errcode(40097), 400, "invalid_request", "", 40097},
		{"wrong secret", errcode(40125), 500, "app_misconfigured", "", 40125},
		{"invalid credential", errcode(40001), 500, "app_misconfigured", "", 40001},
		{"frozen secret", errcode(40243), 500, "app_misconfigured", "", 40243},
		{"wrong appid", errcode(40013), 500, "app_misconfigured", "", 40013},
		{"address not allowed", errcode(40164), 500, "app_misconfigured", "", 40164},
		{"account frozen", errcode(50007), 500, "app_misconfigured", "", 50007},
		{"minute quota", failing(fault.MinuteQuota), 429, "rate_limited", "60", 45011},
		{"day quota", failing(fault.Quota), 503, "wechat_busy", until, 45009},
		{"unknown errcode", errcode(99999), 502, "wechat_unreadable", "", 99999},
		{"no response", failing(fault.Timeout), 504, "wechat_timeout", "", 0},
		{"reset", failing(fault.Reset), 503, "wechat_unreachable", "1", 0},
		{"HTML", failing(fault.HTML), 502, "wechat_unreadable", "", 0},
		{"HTML with 502", failing(fault.HTTP500), 502, "wechat_unreadable", "", 0},
		{"empty", failing(fault.Empty), 502, "wechat_unreadable", "", 0},
		{"redirect", failing(fault.Redirect), 502, "wechat_unreadable", "", 0},
		{"truncated", failing(fault.Truncated), 502, "wechat_unreadable", "", 0},
		{"huge", failing(fault.Huge), 502, "wechat_unreadable", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, site)
			tc.fault.Path = "/sns/jscode2session"
			if err := f.sim.Sim.Arm(tc.fault); err != nil {
				t.Fatal(err)
			}
			tc.check(t, f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice"))))
			if n := f.sim.Sim.Count("/sns/jscode2session"); n != 1 {
				t.Errorf("the code was sent %d times, although the first request may have used it", n)
			}
			f.sim.Sim.ClearFaults()
			f.login("alice") // a single failure does not open the breaker
		})
	}
}

func (u unhappy) check(t *testing.T, a response) {
	t.Helper()
	a.want(t, u.status, u.code)
	got := a.header.Get("Retry-After")
	if seconds, err := strconv.Atoi(got); u.retryAfter == until && (err != nil || seconds < 1 || seconds > 24*60*60) || u.retryAfter != until && got != u.retryAfter {
		t.Errorf("Retry-After %q, want %q", got, u.retryAfter)
	}
	if n, _ := a.json(t)["errcode"].(float64); int(n) != u.errcode {
		t.Errorf("errcode %v, want %d", n, u.errcode)
	}
	for _, theirs := range []string{"errmsg", "rid", "hints", "<html"} {
		if strings.Contains(a.body, theirs) {
			t.Errorf("the response contains text of WeChat: %s", a.body)
		}
	}
}

// TestUnhappyPhone makes WeChat fail for a phone code, for which some errcodes have another
// meaning, and for the access token that a phone code needs.
func TestUnhappyPhone(t *testing.T) {
	const phonePath, tokenPath = "/wxa/business/getuserphonenumber", "/cgi-bin/stable_token"
	for _, tc := range []struct {
		path string
		unhappy
	}{
		{phonePath, unhappy{"bad code", errcode(40029), 400, "invalid_code", "", 40029}},
		{phonePath, unhappy{"another app's code", errcode(40013), 400, "invalid_code", "", 40013}},
		{phonePath, unhappy{"used code", errcode(40163), 400, "invalid_code", "", 40163}},
		{phonePath, unhappy{"busy", failing(fault.Busy), 503, "wechat_busy", "1", -1}},
		{phonePath, unhappy{"minute quota", failing(fault.MinuteQuota), 429, "rate_limited", "60", 45011}},
		{phonePath, unhappy{"no right to the API", errcode(48001), 500, "app_misconfigured", "", 48001}},
		{phonePath, unhappy{"every token expired", errcode(42001), 503, "wechat_busy", "1", 42001}},
		{phonePath, unhappy{"HTML", failing(fault.HTML), 502, "wechat_unreadable", "", 0}},
		{tokenPath, unhappy{"wrong secret", errcode(40125), 500, "app_misconfigured", "", 40125}},
		{tokenPath, unhappy{"address not allowed", errcode(40164), 500, "app_misconfigured", "", 40164}},
		{tokenPath, unhappy{"day quota", failing(fault.Quota), 503, "wechat_busy", until, 45009}},
		{tokenPath, unhappy{"reset", failing(fault.Reset), 503, "wechat_unreachable", "1", 0}},
	} {
		t.Run(tc.path+" "+tc.name, func(t *testing.T) {
			f := newFixture(t, site)
			bearer := "Bearer " + f.token("alice")
			code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
			if err != nil {
				t.Fatal(err)
			}
			tc.fault.Path = tc.path
			if err := f.sim.Sim.Arm(tc.fault); err != nil {
				t.Fatal(err)
			}
			tc.check(t, f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer))
			// Requests with a token do not depend on WeChat.
			f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
		})
	}
}

// TestMethods: each call refuses other methods with 405 and the header Allow. HEAD is treated as
// GET without a body.
func TestMethods(t *testing.T) {
	f := newFixture(t, site)
	token := f.token("alice")
	for path, allowed := range map[string]string{
		pub + "/openId": "POST", pub + "/decode": "POST", pub + "/userInfo": "POST", pub + "/refresh": "POST", pub + "/logout": "POST", pub + "/revoke": "POST",
		pub + "/session": "GET", pub + "/live": "GET", pub + "/ready": "GET", "/.well-known/jwks.json": "GET",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			a := f.do(method, path, "", "Authorization", "Bearer "+token)
			switch {
			case method == "HEAD" && allowed == "GET":
				if a.status != http.StatusOK || a.body != "" {
					t.Errorf("HEAD %s: %d %q", path, a.status, a.body)
				}
			case method == allowed:
				if a.status == http.StatusMethodNotAllowed {
					t.Errorf("%s %s: %d", method, path, a.status)
				}
				if path == pub+"/logout" {
					token = f.token("alice")
				}
			default:
				if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allowed {
					t.Errorf("%s %s: %d, Allow %q, want 405 and %s", method, path, a.status, a.header.Get("Allow"), allowed)
				}
			}
		}
	}
	if n := f.upstream.count(); n != 0 {
		t.Errorf("%d calls of the login API reached the upstream", n)
	}
}

// TestCORS: pages of the configured origins can make every request, pages of other origins none.
func TestCORS(t *testing.T) {
	f := newFixture(t, directiveSite("\t\tcors {\n\t\t\torigins https://h5.example.com\n\t\t\tmax_age 5m\n\t\t}", ""))
	preflight := func(origin, path string) response {
		return f.do("OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	}
	for _, path := range []string{"/orders", pub + "/openId"} {
		a := preflight("https://h5.example.com", path)
		a.want(t, http.StatusNoContent, "")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":      "https://h5.example.com",
			"Access-Control-Allow-Methods":     "GET, POST, PUT, PATCH, DELETE",
			"Access-Control-Allow-Headers":     "Authorization, Content-Type",
			"Access-Control-Max-Age":           "300",
			"Access-Control-Allow-Credentials": "",
			"Vary":                             "Origin",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("preflight of %s: %s: %q, want %q", path, name, got, want)
			}
		}
	}
	for _, origin := range []string{"https://evil.example", "https://h5.example.com.evil.example", "http://h5.example.com", "https://H5.example.com", "null", "https://h5.example.com:8443"} {
		a := preflight(origin, "/orders")
		if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight from %s: %d %v", origin, a.status, a.header)
		}
	}

	refused := f.do("GET", "/orders", "", "Origin", "https://h5.example.com")
	refused.want(t, http.StatusUnauthorized, "missing_token")
	if refused.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(refused.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("a page cannot read the refusal: %v", refused.header)
	}
	if plain := f.do("GET", "/orders", ""); plain.header.Get("Vary") != "Origin" {
		t.Errorf("a cache may use this response for requests of pages: Vary %q", plain.header.Get("Vary"))
	}
	f.do("OPTIONS", "/orders", "").want(t, http.StatusUnauthorized, "missing_token") // not a preflight, so it needs a token
	f.do("OPTIONS", "/orders", "", "Origin", "https://h5.example.com").want(t, http.StatusUnauthorized, "missing_token")
	if n := f.upstream.count(); n != 0 {
		t.Fatalf("%d preflights or refused requests reached the upstream", n)
	}
	bearer := "Bearer " + f.token("alice")
	passed := f.do("GET", "/orders", "", "Origin", "https://h5.example.com", "Authorization", bearer)
	passed.want(t, http.StatusOK, "")
	other := f.do("GET", "/orders", "", "Origin", "https://evil.example", "Authorization", bearer)
	if passed.header.Get("Access-Control-Allow-Origin") == "" || other.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("allowed %v, other %v", passed.header, other.header)
	}
}

// TestCORSOfUpstream: CORS headers of an upstream neither exclude pages of the configured origins
// nor admit others, and WebSockets still open.
func TestCORSOfUpstream(t *testing.T) {
	f := newFixture(t, directiveSite("\t\tcors {\n\t\t\torigins https://h5.example.com\n\t\t}", ""))
	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "X-Total")
		if r.Header.Get("Upgrade") != "" {
			h.Set("Connection", "Upgrade")
			h.Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}
	})
	bearer := "Bearer " + f.token("alice")
	for origin, want := range map[string][]string{"https://h5.example.com": {"https://h5.example.com"}, "https://evil.example": nil} {
		a := f.do("GET", "/orders", "", "Origin", origin, "Authorization", bearer)
		a.want(t, http.StatusOK, "")
		if got := a.header["Access-Control-Allow-Origin"]; !slices.Equal(got, want) || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("from %s: %v", origin, a.header)
		}
		if exposed := strings.Join(a.header["Access-Control-Expose-Headers"], ", "); !strings.Contains(exposed, "X-Total") {
			t.Errorf("from %s: the response exposes the headers %q", origin, exposed)
		}
		socket := f.do("GET", "/orders", "", "Origin", origin, "Authorization", bearer, "Connection", "Upgrade", "Upgrade", "websocket")
		if socket.status != http.StatusSwitchingProtocols || !slices.Equal(socket.header["Access-Control-Allow-Origin"], want) {
			t.Errorf("a WebSocket from %s: %d %v", origin, socket.status, socket.header)
		}
	}
}
