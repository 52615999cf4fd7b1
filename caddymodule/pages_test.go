package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestPagesEndWithPhone: the session of a web-view is listed with its parent, the session that
// opened it. It ends with the parent and not with other sessions of the user, and its end has a
// separate audit line.
func TestPagesEndWithPhone(t *testing.T) {
	f := newOperatedFixture(t)
	config := siteWith{global: auditLog, handler: "web {\n\t\t\turl http://{{.Addr}}\n\t\t\tticket\n\t\t}"}.String()
	f.config = strings.Replace(config, "admin off", "admin unix/{{.Dir}}/admin.sock", 1)
	f.load()
	phone, tablet := f.login("alice"), f.login("alice")
	bearer := func(login response) []string {
		return []string{"Authorization", "Bearer " + login.str(t, "access_token")}
	}
	open := func(login response) (cookie string) {
		ticket := f.do("POST", pub+"/web/ticket", "{}", bearer(login)...)
		ticket.want(t, http.StatusOK, "")
		entered := f.do("GET", pub+"/web/enter?return=/orders&ticket="+ticket.str(t, "ticket"), "")
		entered.want(t, http.StatusSeeOther, "")
		for _, set := range entered.header["Set-Cookie"] {
			if c, err := http.ParseSetCookie(set); err == nil && c.Name == "wxgate" && c.Value != "" {
				return c.Name + "=" + c.Value
			}
		}
		t.Fatalf("no session cookie in %v", entered.header)
		return ""
	}
	page, other := open(phone), open(tablet)
	f.do("GET", "/orders", "", "Cookie", page).want(t, http.StatusOK, "")

	type listed struct {
		Sessions []struct {
			Session string `json:"session"`
			Door    string `json:"door"`
			Parent  string `json:"parent"`
		} `json:"sessions"`
	}
	list := func() (pages map[string]string, all int) {
		pages = map[string]string{}
		of := queried[listed](f, "sessions", "list", "--app", firstApp, "--openid", phone.str(t, "openId"))
		for _, s := range of.Sessions {
			if (s.Door == "webview") != (s.Parent != "") {
				t.Errorf("a session is listed as %+v", s)
			}
			pages[s.Parent] = s.Session
		}
		delete(pages, "")
		return pages, len(of.Sessions)
	}
	parent := f.do("GET", pub+"/session", "", bearer(phone)...).str(t, "session")
	pages, all := list()
	if all != 4 || len(pages) != 2 || pages[parent] == "" {
		t.Fatalf("%d sessions with the pages %v", all, pages)
	}
	if out := f.operate("sessions", "list"); !strings.Contains(out, "PARENT") || !strings.Contains(out, "  "+parent+"\n") {
		t.Errorf("the list has no parent:\n%s", out)
	}

	f.do("POST", pub+"/logout", "", bearer(phone)...).want(t, http.StatusNoContent, "")
	f.do("GET", "/orders", "", "Cookie", page).want(t, http.StatusUnauthorized, "session_revoked")
	f.do("GET", "/orders", "", "Cookie", other).want(t, http.StatusOK, "")
	if left, all := list(); all != 2 || len(left) != 1 || left[parent] != "" {
		t.Errorf("%d sessions are left, with the pages %v", all, left)
	}
	ended := 0
	for _, line := range f.auditLines() {
		if line["msg"] == "revocation" && line["by"] == "gateway" && line["cause"] == "parent_ended" && line["session"] == pages[parent] && line["outcome"] == "ok" {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("the end of the page has %d audit lines, want 1", ended)
	}
}
