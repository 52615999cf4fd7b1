package gateway

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// scan is a scan whose code a browser shows.
type scan struct{ name, number string }

func (v *visitor) newScan() scan {
	v.t.Helper()
	r := v.post(pub+"/web/scan", "")
	r.want(http.StatusOK, "")
	if !strings.HasPrefix(r.get("image"), "data:image/jpeg;base64,") || r.header.Get("Cache-Control") != "no-store" || v.jar[cookie+"-scan"] == "" {
		v.t.Errorf("the code is %.200s", r.body)
	}
	return scan{r.get("scan"), r.get("number")}
}

func (c scan) path(call string) string { return pub + "/web/scan/" + c.name + call }

// state returns the state that a browser sees, or the code of the error.
func (v *visitor) state(c scan, known string) string {
	v.t.Helper()
	r := v.send(http.MethodGet, c.path("?known="+known), "")
	if r.header.Get("Cache-Control") != "no-store" {
		v.t.Errorf("a cache may keep the state: %v", r.header)
	}
	return r.get("state") + r.get("code")
}

// asked opens a scan on a phone.
func (s *site) asked(c scan, phone []string) response {
	s.t.Helper()
	return s.do(http.MethodGet, c.path("/request"), "", phone...)
}

func (s *site) confirm(c scan, number string, phone []string) response {
	s.t.Helper()
	return s.do(http.MethodPost, c.path(""), `{"confirm":true,"number":"`+number+`"}`, phone...)
}

// wrongNumber returns a number that the browser does not show.
func (c scan) wrongNumber() string {
	n, _ := strconv.Atoi(c.number)
	text := strconv.Itoa(10_000 + (n+1)%10_000)
	return text[1:]
}

// TestScanLogin signs in on a PC with a scan.
func TestScanLogin(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	pc, phone := s.visitor(chromeAgent), s.onPhone(first, "alice")
	pc.address = "203.0.113.77"
	r := pc.visit(pub + "/web/login?return=%2Forders")
	if r.status != http.StatusOK || !strings.Contains(r.body, pub+"/web/scan") {
		t.Errorf("the page: status %d", r.status)
	}
	wantPrivate(t, "the page", r)
	c := pc.newScan()
	if codes := s.sim.ProgramCodes(); len(codes) != 1 || codes[0].Scene != c.name || codes[0].Page != "pages/scan" || codes[0].AppID != first.ID {
		t.Errorf("the code is %+v", codes)
	}
	if got := pc.state(c, "none"); got != "waiting" {
		t.Errorf("the state is %q", got)
	}
	asked := s.asked(c, phone)
	asked.want(http.StatusOK, "")
	if asked.get("browser") != "Chrome on Windows" || asked.get("address") != "203.0.113.*" || asked.get("place") != "深圳" || strings.Contains(asked.body, c.number) || asked.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the phone gets %s", asked.body)
	}
	if got := pc.state(c, "waiting"); got != "scanned" {
		t.Errorf("the state is %q", got)
	}
	pc.post(c.path("/finish"), "{}").want(http.StatusNotFound, "scan_not_found")
	s.confirm(c, c.number, phone).want(http.StatusOK, "")
	if got := pc.state(c, "scanned"); got != "confirmed" {
		t.Errorf("the state is %q", got)
	}
	pc.post(c.path("/finish"), "{}").want(http.StatusNoContent, "")
	pc.wantUser("the PC", openIDOf(first, "alice"))
	if s.passed.Header.Get("X-Wx-Source") != "web" || s.passed.Header["Cookie"] != nil {
		t.Errorf("the upstream gets %v", s.passed.Header)
	}
	pc.post(c.path("/finish"), "{}").want(http.StatusNotFound, "scan_not_found")
	s.do(http.MethodPost, pub+"/logout", `{"all":true}`, phone...).want(http.StatusNoContent, "")
	pc.wantUser("after a logout of all on the phone", "")
}

// TestScanAttacks tries another browser, another phone, another app, and requests of other
// sites.
func TestScanAttacks(t *testing.T) {
	t.Parallel()
	const gone = "scan_not_found"
	s := newWebSite(t, nil)
	victim, mallory, other := s.onPhone(first, "alice"), s.onPhone(first, "mallory"), s.onPhone(second, "alice")
	pc, thief := s.visitor(chromeAgent), s.visitor(chromeAgent)
	c := pc.newScan()
	own := thief.newScan() // the thief gets a scan cookie too
	bare := s.visitor(chromeAgent)
	steal := func(when string) {
		t.Helper()
		for name, v := range map[string]*visitor{"another browser": thief, "a browser without a cookie": bare} {
			if got := v.state(c, ""); got != gone {
				t.Errorf("%s, %s polls: %q", when, name, got)
			}
			v.post(c.path("/finish"), "{}").want(http.StatusNotFound, gone)
			v.wantUser(when+", "+name, "")
		}
	}
	steal("waiting")
	for name, headers := range map[string][]string{"the other app": other, "no token": nil, "a wrong token": {"Authorization", "Bearer a.b.c"}} {
		want := http.StatusUnauthorized
		if name == "the other app" {
			want = http.StatusNotFound
		}
		for what, r := range map[string]response{"opens": s.asked(c, headers), "confirms": s.confirm(c, c.number, headers), "refuses": s.do(http.MethodPost, c.path(""), `{"confirm":false}`, headers...)} {
			if r.status != want {
				t.Errorf("%s %s: status %d, %s", name, what, r.status, r.body)
			}
		}
	}
	s.confirm(c, c.number, victim).want(http.StatusNotFound, gone) // not opened
	s.asked(c, victim).want(http.StatusOK, "")
	steal("scanned")
	s.asked(c, mallory).want(http.StatusNotFound, gone)
	s.confirm(c, c.number, mallory).want(http.StatusNotFound, gone)
	s.do(http.MethodPost, c.path(""), `{"confirm":false}`, mallory...).want(http.StatusNotFound, gone)
	s.asked(c, s.onPhone(first, "alice")).want(http.StatusNotFound, gone) // the user's other session
	s.confirm(c, c.wrongNumber(), victim).want(http.StatusBadRequest, "wrong_number")
	for _, number := range []string{"", "0", c.number + "0", " " + c.number} {
		r := s.do(http.MethodPost, own.path(""), `{"confirm":true,"number":"`+number+`"}`, mallory...)
		if r.status == http.StatusOK {
			t.Errorf("the number %q confirms", number)
		}
	}
	s.confirm(c, c.number, victim).want(http.StatusOK, "")
	steal("confirmed")
	for name, headers := range map[string][]string{
		"no origin": nil, "another site": {"Origin", "https://evil.example"}, "null": {"Origin", "null"}, "a sibling host": {"Origin", "https://blog.example.com", "Sec-Fetch-Site", "same-site"},
	} {
		for _, call := range []string{c.path("/finish"), pub + "/web/scan", pub + "/web/logout"} {
			r := pc.send(http.MethodPost, call, "{}", headers...)
			r.want(http.StatusForbidden, "cross_site")
			if len(r.header["Set-Cookie"]) != 0 {
				t.Errorf("%s to %s: sets %v", name, call, r.header["Set-Cookie"])
			}
		}
	}
	pc.post(c.path("/finish"), "{}").want(http.StatusNoContent, "")
	pc.wantUser("the PC", openIDOf(first, "alice"))
	if _, kept := pc.jar[cookie+"-scan"]; kept {
		t.Error("the browser keeps the key of its scan")
	}
}

// TestScanCookie: a browser cannot confirm a scan with its session cookie, alone or with a
// token.
func TestScanCookie(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	pc, phone := s.visitor(chromeAgent), s.onPhone(first, "alice")
	c := pc.newScan()
	web := s.visitor(wechatAgent)
	web.wantSession("a web-view", web.visit(s.ticket(phone)), shop+"/")
	web.send(http.MethodGet, c.path("/request"), "").want(http.StatusUnauthorized, "missing_token")
	web.post(c.path(""), `{"confirm":true,"number":"`+c.number+`"}`).want(http.StatusUnauthorized, "missing_token")
	web.post(c.path(""), `{"confirm":true,"number":"`+c.number+`"}`, phone[:2]...).want(http.StatusBadRequest, "invalid_request")
	if got := pc.state(c, "scanned"); got != "waiting" {
		t.Errorf("the state is %q", got)
	}
}

// TestWrongNumbers: the third wrong number ends the scan. The right number is then refused too.
func TestWrongNumbers(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	pc, phone := s.visitor(chromeAgent), s.onPhone(first, "alice")
	c := pc.newScan()
	s.asked(c, phone).want(http.StatusOK, "")
	s.confirm(c, c.wrongNumber(), phone).want(http.StatusBadRequest, "wrong_number")
	s.confirm(c, "", phone).want(http.StatusBadRequest, "wrong_number")
	s.confirm(c, c.wrongNumber(), phone).want(http.StatusNotFound, "scan_not_found")
	s.confirm(c, c.number, phone).want(http.StatusNotFound, "scan_not_found")
	for range 2 { // a final state is returned at once, whatever state the browser knows
		if got := pc.state(c, "refused"); got != "refused" {
			t.Errorf("the state is %q", got)
		}
	}
	pc.post(c.path("/finish"), "{}").want(http.StatusNotFound, "scan_not_found")
	if got := pc.state(scan{name: strings.Repeat("A", 22)}, "expired"); got != "expired" {
		t.Errorf("a scan that never was is %q", got)
	}
}

// TestScanCalls tests paths and methods that are not calls of a scan, and a phone that has
// logged out.
func TestScanCalls(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	pc, phone := s.visitor(chromeAgent), s.onPhone(first, "alice")
	c := pc.newScan()
	for _, test := range []struct {
		method, call string
		status       int
		allow        string
	}{
		{"GET", "/finish", 405, "POST"}, {"POST", "/request", 405, "GET"}, {"HEAD", "", 405, "GET, POST"}, {"PUT", "", 405, "POST, GET"},
		{"GET", "/other", 404, ""}, {"GET", "/finish/", 404, ""}, {"POST", "/request/a", 404, ""},
	} {
		r := pc.send(test.method, c.path(test.call), "", "Origin", shop)
		if r.status != test.status || r.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: status %d, Allow %q", test.method, test.call, r.status, r.header.Get("Allow"))
		}
	}
	for _, body := range []string{"", "{}", `{"number":"` + c.number + `"}`, `{"confirm":"true"}`, `{"confirm":null}`, `[]`} {
		s.do(http.MethodPost, c.path(""), body, phone...).want(http.StatusBadRequest, "invalid_request")
	}
	early := append([]string{"Early-Data", "1"}, phone...)
	s.do(http.MethodPost, c.path(""), `{"confirm":false}`, early...).want(http.StatusTooEarly, "")
	s.asked(c, phone).want(http.StatusOK, "")
	s.confirm(c, c.number, phone).want(http.StatusOK, "")
	s.do(http.MethodPost, pub+"/logout", "{}", phone...).want(http.StatusNoContent, "")
	pc.post(c.path("/finish"), "{}").want(http.StatusNotFound, "scan_not_found")
	pc.wantUser("after a logout on the phone", "")
}

// TestScanLimit: an address gets ten codes a minute. If WeChat fails, no scan begins.
func TestScanLimit(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	if err := s.sim.Arm(fault.Fault{Path: "/wxa/getwxacodeunlimit", Kind: fault.Quota, Times: 1}); err != nil {
		t.Fatal(err)
	}
	pc := s.visitor(chromeAgent)
	failed := pc.post(pub+"/web/scan", "")
	if failed.status == http.StatusOK || len(pc.jar) != 0 {
		t.Errorf("a failure of WeChat: status %d, cookies %v", failed.status, pc.jar)
	}
	for range 9 {
		pc.newScan()
	}
	r := pc.post(pub+"/web/scan", "")
	r.want(http.StatusTooManyRequests, "rate_limited")
	pc.address = "198.51.100.7"
	pc.newScan()
}

// TestPolls: a poll returns when the state changes, and at once when the process is about to exit.
func TestPolls(t *testing.T) {
	t.Parallel()
	s := newWebSite(t, nil)
	pc, phone := s.visitor(chromeAgent), s.onPhone(first, "alice")
	c := pc.newScan()
	began := time.Now()
	r := pc.send(http.MethodGet, c.path("?known=waiting"), "", "X-Test-Shutting-Down", "1")
	if r.get("state") != "waiting" || time.Since(began) > 5*time.Second {
		t.Errorf("while the process exits: %s after %v", r.body, time.Since(began))
	}
	poll := httptest.NewRequest(http.MethodGet, c.path("?known=waiting"), nil)
	poll.Header.Set("Cookie", cookie+"-scan="+pc.jar[cookie+"-scan"])
	out := httptest.NewRecorder()
	done := make(chan error)
	go func() { done <- s.gateway.ServeHTTP(out, poll, nil) }()
	id, err := s.runtime.Service.Authenticate(strings.TrimPrefix(phone[1], "Bearer "))
	if err == nil {
		_, err = s.runtime.Web.OpenScan(t.Context(), c.name, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || out.Body.String() != `{"state":"scanned"}` {
		t.Errorf("the poll returned %s, %v", out.Body, err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the poll took %v", took)
	}
}
