package playground

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// fakeSecret is the value of every cookie of the fake gateway: no page shows it.
const fakeSecret = "wxc_secret"

// fakeTicket and fakeScan are its only ticket and scan.
const (
	fakeTicket = "wxt_1"
	fakeScan   = "AAAAAAAAAAAAAAAAAAAAAA"
	fakeNumber = "0042"
)

// fakeWeb is the part of the fake gateway for browsers.
type fakeWeb struct {
	weChat string

	mu    sync.Mutex
	state string // of the scan
}

// addWeb adds the calls of browsers to a gateway.
func addWeb(mux *http.ServeMux, weChat string) {
	f := &fakeWeb{weChat: weChat}
	mux.HandleFunc("GET "+webLoginPath, f.login)
	mux.HandleFunc("GET /v1.0/pub/web/callback", f.callback)
	mux.HandleFunc("POST "+webTicketPath, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"url":"http://%s%s?ticket=%s"}`, r.Host, webEnterPath, fakeTicket)
	})
	mux.HandleFunc(webEnterPath, f.enter)
	mux.HandleFunc("POST "+webLogoutPath, func(w http.ResponseWriter, _ *http.Request) {
		set(w, sessionCookie, "")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+webScanPath, f.newScan)
	scan := webScanPath + "/" + fakeScan
	mux.HandleFunc("GET "+scan+"/request", func(w http.ResponseWriter, _ *http.Request) {
		f.become("scanned")
		_, _ = io.WriteString(w, `{"browser":"Chrome on Windows","address":"127.0.0.*","expires_in":100}`)
	})
	mux.HandleFunc("GET "+scan, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, `{"state":%q}`, f.now()) })
	mux.HandleFunc("POST "+scan, f.decide)
	mux.HandleFunc("POST "+scan+"/finish", func(w http.ResponseWriter, r *http.Request) {
		set(w, "wxgate-scan", "")
		begin(w, r, http.StatusNoContent)
	})
}

func (f *fakeWeb) become(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
}

func (f *fakeWeb) now() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// login redirects to WeChat, or is the page of a scan.
func (f *fakeWeb) login(w http.ResponseWriter, r *http.Request) {
	path, app, scope := "/connect/oauth2/authorize", wechatsim.WebApps()[0], "snsapi_userinfo"
	switch {
	case r.URL.Query().Get("door") == website:
		path, app, scope = "/connect/qrconnect", wechatsim.WebApps()[1], "snsapi_login"
	case !strings.Contains(r.UserAgent(), "MicroMessenger"):
		_, _ = io.WriteString(w, "<!doctype html>")
		return
	}
	set(w, "wxgate-login-1", fakeSecret)
	back := url.QueryEscape("http://" + r.Host + "/v1.0/pub/web/callback")
	w.Header().Set("Location", f.weChat+path+"?appid="+app.ID+"&redirect_uri="+back+"&response_type=code&scope="+scope+"&state="+app.ID+"#wechat_redirect")
	w.WriteHeader(http.StatusSeeOther)
}

// callback exchanges the code.
func (f *fakeWeb) callback(w http.ResponseWriter, r *http.Request) {
	if cookie(r, "wxgate-login-1") != fakeSecret {
		refuse(w, http.StatusBadRequest, "login_state_invalid")
		return
	}
	app := r.URL.Query().Get("state")
	response, err := http.Get(f.weChat + "/sns/oauth2/access_token?" + url.Values{ //nolint:forbidigo // a test's
		"appid": {app}, "secret": {strings.Repeat("0", 31) + app[len(app)-1:]}, "code": {r.URL.Query().Get("code")}, "grant_type": {"authorization_code"},
	}.Encode())
	if err != nil || response.StatusCode != http.StatusOK {
		refuse(w, http.StatusBadGateway, "wechat_unavailable")
		return
	}
	_ = response.Body.Close()
	set(w, "wxgate-login-1", "")
	begin(w, r, http.StatusSeeOther)
}

// enter asks a browser that has a session already.
func (f *fakeWeb) enter(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.FormValue("ticket") != fakeTicket:
		refuse(w, http.StatusBadRequest, "ticket_invalid")
	case r.Method == http.MethodGet && cookie(r, sessionCookie) != "":
		_, _ = io.WriteString(w, "<!doctype html>")
	case r.Method == http.MethodPost && r.Header.Get("Origin") != "http://"+r.Host:
		refuse(w, http.StatusForbidden, "cross_site")
	default:
		begin(w, r, http.StatusSeeOther)
	}
}

// newScan has WeChat make a code.
func (f *fakeWeb) newScan(w http.ResponseWriter, _ *http.Request) {
	token := f.post("/cgi-bin/stable_token", map[string]string{"grant_type": "client_credential", "appid": wechatsim.DefaultApp.ID, "secret": wechatsim.DefaultApp.Secret})
	var in struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(token), &in)
	f.post("/wxa/getwxacodeunlimit?access_token="+in.Token, map[string]string{"scene": fakeScan})
	f.become("waiting")
	set(w, "wxgate-scan", fakeSecret)
	_, _ = fmt.Fprintf(w, `{"scan":%q,"image":"data:image/png;base64,%s","number":%q,"expires_in":120}`, fakeScan, strings.Repeat("A", 100), fakeNumber)
}

func (f *fakeWeb) post(path string, body map[string]string) string {
	response, err := http.Post(f.weChat+path, "application/json", strings.NewReader(jsonOf(body))) //nolint:forbidigo // a test's
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

func (f *fakeWeb) decide(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Confirm bool
		Number  string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	switch {
	case !in.Confirm:
		f.become("refused")
	case in.Number != fakeNumber:
		refuse(w, http.StatusBadRequest, "wrong_number")
		return
	default:
		f.become("confirmed")
	}
	_, _ = fmt.Fprintf(w, `{"state":%q}`, f.now())
}

// begin logs a browser in.
func begin(w http.ResponseWriter, r *http.Request, status int) {
	set(w, sessionCookie, fakeSecret)
	if status == http.StatusSeeOther {
		w.Header().Set("Location", "http://"+r.Host+ordersPath)
	}
	w.WriteHeader(status)
}

func set(w http.ResponseWriter, name, value string) {
	age := 60
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func cookie(r *http.Request, name string) string {
	found, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return found.Value
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"code":%q}`, code)
}
