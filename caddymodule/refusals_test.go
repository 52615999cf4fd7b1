package caddymodule_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// loggedSite is [site] with an access log and wxgate's own log in the file "log".
func loggedSite(options string) string {
	return siteWith{global: logTo("DEBUG"), handler: options, routes: "log"}.String()
}

// logLine has the fields of a log line that these tests compare.
type logLine struct {
	Logger  string `json:"logger"`
	Message string `json:"msg"`
	UserID  string `json:"user_id"`
	UUID    string `json:"uuid"`
	Code    string `json:"wxgate_code"`
	Path    string `json:"path"`
	Request struct {
		URI string `json:"uri"`
	} `json:"request"`
}

// accessLine waits for the line of the access log about a URI. Caddy writes it after the response.
func (f *fixture) accessLine(uri string) logLine {
	f.t.Helper()
	return f.logLine("the access log has "+uri, func(l logLine) bool {
		return strings.HasPrefix(l.Logger, "http.log.access") && l.Request.URI == uri
	})
}

func (f *fixture) logLine(what string, wanted func(logLine) bool) logLine {
	f.t.Helper()
	var found logLine
	eventually(f.t, what, func() bool {
		for text := range strings.Lines(f.log()) {
			var line logLine
			if json.Unmarshal([]byte(text), &line) == nil && wanted(line) {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

// TestRefusalsAreLogged: for each refusal, the problem document, the access log and wxgate's log
// have the error code and the request ID. If the token was valid, the access log has the user.
func TestRefusalsAreLogged(t *testing.T) {
	f := newFixture(t, loggedSite("require phone on /pay/*\nrequire unionid on /union"))
	bearer := []string{"Authorization", "Bearer " + f.token("alice")}
	f.do("GET", "/admitted", "", bearer...).want(t, http.StatusOK, "")
	admitted := f.accessLine("/admitted")
	if admitted.UserID == "" || admitted.UUID != "" || admitted.Code != "" {
		t.Errorf("an admitted request is logged as %+v", admitted)
	}
	for _, tc := range []struct {
		method, uri, body string
		header            []string
		status            int
		code              string
		known             bool // the user
	}{
		{"GET", "/pay/1", "", bearer, 403, "phone_required", true},
		{"GET", "/union", "", bearer, 403, "unionid_required", true},
		{"GET", "/orders", "", nil, 401, "missing_token", false},
		{"GET", "/orders/1", "", []string{"Authorization", "Bearer nonsense"}, 401, "invalid_token", false},
		{"GET", "/pay/../x", "", bearer, 400, "invalid_request", false}, // refused before the token is verified
		{"POST", pub + "/logout", "[", bearer, 400, "invalid_request", true},
		{"POST", pub + "/decode", `{"code":"0000"}`, bearer, 400, "invalid_code", true},
		{"POST", pub + "/openId?wrong", `{"code":"0000"}`, nil, 401, "invalid_code", false},
	} {
		t.Run(tc.method+" "+tc.uri, func(t *testing.T) {
			a := f.do(tc.method, tc.uri, tc.body, tc.header...)
			a.want(t, tc.status, tc.code)
			line := f.accessLine(tc.uri)
			want := ""
			if tc.known {
				want = admitted.UserID
			}
			if line.UserID != want {
				t.Errorf("user_id %q, want %q", line.UserID, want)
			}
			if line.Code != tc.code {
				t.Errorf("wxgate_code %q, want %q", line.Code, tc.code)
			}
			a.wantInstance(t, line.UUID)
			own := f.logLine("wxgate logs the refusal", func(l logLine) bool {
				return l.Message == "request refused" && l.UUID == line.UUID
			})
			if own.Path == "" {
				t.Errorf("wxgate logged %+v", own)
			}
		})
	}
}

// wantInstance fails the test unless the problem has this request ID, and its type links to the
// documentation of its code.
func (r response) wantInstance(t *testing.T, id string) {
	t.Helper()
	if id == "" {
		t.Error("the access log has no request ID")
	}
	if got, _ := r.json(t)["instance"].(string); got != id {
		t.Errorf("instance %q, want the access log's uuid %q", got, id)
	}
	want := "https://github.com/wxgate/wxgate/blob/main/docs/api.md#code-" + r.str(t, "code")
	if got, _ := r.json(t)["type"].(string); got != want {
		t.Errorf("type %q, want %q", got, want)
	}
}

// TestOtherAppsUserIsLogged: the access log has the user of a request that was refused because the
// path does not admit the app.
func TestOtherAppsUserIsLogged(t *testing.T) {
	f := newTwoApps(t)
	f.config = strings.NewReplacer(
		"persist_config off", "persist_config off\nlog {\noutput file {{.Dir}}/log\n}",
		"http://{{.Addr}} {", "http://{{.Addr}} {\nlog",
	).Replace(f.config)
	f.load()
	bearer := "Bearer " + f.loginTo(secondApp).str(t, "access_token")
	f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
	user := f.accessLine("/orders").UserID
	f.do("GET", "/one/orders", "", "Authorization", bearer).want(t, http.StatusForbidden, "app_not_admitted")
	if got := f.accessLine("/one/orders"); got.UserID != user || user == "" || got.Code != "app_not_admitted" {
		t.Errorf("logged as %+v, want user_id %q", got, user)
	}
	other := "Bearer " + f.loginTo(firstApp).str(t, "access_token")
	f.do("GET", "/second/orders", "", "Authorization", other).want(t, http.StatusForbidden, "app_not_admitted")
	if got := f.accessLine("/second/orders"); got.UserID == "" || got.UserID == user {
		t.Errorf("logged as %+v", got)
	}
}

// TestFailedUpstreamsUserIsLogged: the access log has the user of a request to which the upstream
// did not respond.
func TestFailedUpstreamsUserIsLogged(t *testing.T) {
	f := newFixture(t, loggedSite("require phone on /pay/*"))
	bearer := "Bearer " + f.token("alice")
	f.do("GET", "/ok", "", "Authorization", bearer).want(t, http.StatusOK, "")
	f.upstream.respondWith(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	f.do("GET", "/broken", "", "Authorization", bearer).want(t, http.StatusBadGateway, "")
	if got, want := f.accessLine("/broken").UserID, f.accessLine("/ok").UserID; got != want || want == "" {
		t.Errorf("user_id %q, want %q", got, want)
	}
}

// TestVerifyRefusalsAreLogged is TestRefusalsAreLogged for wxgate_verify, which only returns 403
// and 401.
func TestVerifyRefusalsAreLogged(t *testing.T) {
	f := newVerify(t, loopback, "require phone on /pay/*\nrequire unionid on /union\nrequire app wx0000000000000001 on /mine")
	f.config = strings.NewReplacer(
		"persist_config off", "persist_config off\nlog {\noutput file {{.Dir}}/log\n}",
		"http://{{.Plain}} {", "http://{{.Plain}} {\nlog",
	).Replace(f.config)
	f.load()
	bearer := "Bearer " + f.token("alice")
	f.ask("/ask?mine", "Authorization", bearer, "X-Forwarded-Uri", "/mine").want(t, http.StatusOK, "")
	user := f.accessLine("/ask?mine").UserID
	for i, tc := range []struct {
		path, token string
		status      int
		code, user  string
	}{
		{"/pay/1", bearer, 403, "phone_required", user},
		{"/union", bearer, 403, "unionid_required", user},
		{"/pay/../x", bearer, 403, "invalid_request", ""},
		{"/mine", "Bearer nonsense", 401, "invalid_token", ""},
	} {
		target := fmt.Sprintf("/ask?%d", i)
		a := f.ask(target, "Authorization", tc.token, "X-Forwarded-Uri", tc.path)
		a.want(t, tc.status, tc.code)
		line := f.accessLine(target)
		if line.UserID != tc.user || line.Code != tc.code {
			t.Errorf("%s is logged as %+v, want user_id %q and wxgate_code %q", tc.path, line, tc.user, tc.code)
		}
		a.wantInstance(t, line.UUID)
	}
	if user == "" {
		t.Error("the admitted user has no user_id")
	}
}

// TestBodyErrorsNameTheMember: the error for an invalid body names the wrong member, and repeats no
// other text of the client.
func TestBodyErrorsNameTheMember(t *testing.T) {
	f := newFixture(t, site)
	bearer := []string{"Authorization", "Bearer " + f.token("alice")}
	for body, want := range map[string]string{
		`{"code":1}`:                        `"code" must be a string.`,
		`{"code":"a","code":"b"}`:           `Duplicate key "code".`,
		`{"<script>":1,"<script>":2}`:       "The body has a duplicate key.",
		`{"x":{"code":1,"code":2}}`:         "The body has a duplicate key.",
		`{"code":{"code":1}}`:               `"code" must be a string.`,
		`{"code":`:                          "The body must be one JSON object in UTF-8.",
		`["code"]`:                          "The body must be one JSON object in UTF-8.",
		"{\"code\":\"\xff\"}":               "The body must be one JSON object in UTF-8.",
		`{"code":"a","appId":["<script>"]}`: `"appId" must be a string.`,
	} {
		a := f.do("POST", pub+"/openId", body)
		a.want(t, http.StatusBadRequest, "invalid_request")
		if got := a.str(t, "detail"); got != want {
			t.Errorf("%s: detail %q, want %q", body, got, want)
		}
	}
	a := f.do("POST", pub+"/logout", `{"all":"yes"}`, bearer...)
	a.want(t, http.StatusBadRequest, "invalid_request")
	if got := a.str(t, "detail"); got != `"all" must be true or false.` {
		t.Errorf("detail %q", got)
	}
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s/openId HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", pub, f.addr)
	if err := errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(text), `"detail":"The request body was incomplete."`) {
		t.Errorf("an incomplete body: %s, %v", text, err)
	}
}
