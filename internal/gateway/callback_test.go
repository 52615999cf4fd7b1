package gateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/callback"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	firstToken  = "first0token"
	secondToken = "second0token"
)

var aesKey = strings.Repeat("a", 42) + "A"

// newCallbackSite returns a site with callbacks of two apps. The second encrypts.
func newCallbackSite(t *testing.T) *site {
	t.Helper()
	return newSite(t, func(_ *site, c *Config) {
		for _, config := range []callback.Config{
			{AppID: auth.AppID(first.ID), Token: firstToken},
			{AppID: auth.AppID(second.ID), Token: secondToken, EncodingAESKey: aesKey},
		} {
			receiver, err := callback.New(config)
			if err != nil {
				t.Fatal(err)
			}
			c.Callbacks = append(c.Callbacks, receiver)
		}
	})
}

// push delivers a message of WeChat.
func (s *site) push(p simpush.Request) response {
	method := http.MethodPost
	if p.Body == nil {
		method = http.MethodGet
	}
	return s.serve(httptest.NewRequest(method, pub+"/callback?"+p.Query.Encode(), bytes.NewReader(p.Body)))
}

func TestCallbackCheck(t *testing.T) {
	t.Parallel()
	s := newCallbackSite(t)
	for _, token := range []string{firstToken, secondToken} {
		p := simpush.Check(s.sim, simpush.Target{Token: token})
		r := s.push(p)
		if r.status != http.StatusOK || r.body != p.Query.Get("echostr") || r.header.Get("Content-Type") != "text/plain; charset=utf-8" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v %q", token, r.status, r.header, r.body)
		}
	}
	r := s.push(simpush.Check(s.sim, simpush.Target{Token: "other"}))
	r.want(http.StatusForbidden, "forbidden")
	if !strings.Contains(r.get("detail"), "configured token") || r.header.Get("WWW-Authenticate") != "" {
		t.Errorf("the refusal is %s %v", r.body, r.header)
	}
	s.do(http.MethodPut, pub+"/callback", "").want(http.StatusMethodNotAllowed, "")
}

func TestCallbackEndsSessions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		app    wechatsim.App
		target simpush.Target
		again  int // status of a later login, after the message was repeated
	}{
		{first, simpush.Target{Token: firstToken}, http.StatusUnauthorized},
		{second, simpush.Target{Token: secondToken, EncodingAESKey: aesKey, XML: true}, http.StatusOK},
	} {
		s := newCallbackSite(t)
		user := wechatsim.User{App: test.app.ID, Name: "alice"}
		login := s.login(test.app)
		bearer := []string{"Authorization", "Bearer " + login.get("access_token")}
		p, err := simpush.Event(s.sim, user, "user_authorization_revoke", test.target)
		if err != nil {
			t.Fatal(err)
		}
		s.do(http.MethodGet, "/orders", "", bearer...).want(http.StatusOK, "")
		if r := s.push(p); r.status != http.StatusOK || r.body != "success" {
			t.Errorf("%s: %d %q", test.app.ID, r.status, r.body)
		}
		s.do(http.MethodGet, "/orders", "", bearer...).want(http.StatusUnauthorized, "session_revoked")
		// WeChat repeats a message that it considers lost. A repeated encrypted message is
		// recognized, so it does not end a new login.
		again := s.login(test.app)
		if r := s.push(p); r.status != http.StatusOK {
			t.Errorf("%s again: %d %s", test.app.ID, r.status, r.body)
		}
		s.do(http.MethodGet, "/orders", "", "Authorization", "Bearer "+again.get("access_token")).want(test.again, "")
	}
}

// TestCallbackRevokeInfo: a user who withdraws profile data keeps the session, but data that
// was encrypted before can no longer be decrypted. A user who withdraws a number plate keeps
// both.
func TestCallbackRevokeInfo(t *testing.T) {
	t.Parallel()
	for revokeInfo, want := range map[string]struct {
		session, decode int
		code            string
	}{
		"1":  {http.StatusOK, http.StatusOK, ""},
		"6":  {http.StatusOK, http.StatusUnauthorized, "session_stale"},
		"8":  {http.StatusUnauthorized, http.StatusUnauthorized, "session_revoked"},
		"99": {http.StatusUnauthorized, http.StatusUnauthorized, "session_revoked"},
	} {
		s := newCallbackSite(t)
		bearer := []string{"Authorization", "Bearer " + s.login(first).get("access_token")}
		data := `{` + s.encrypted() + `}`
		p, err := simpush.Withdraw(s.sim, alice, "user_authorization_revoke", revokeInfo, simpush.Target{Token: firstToken})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.push(p); r.status != http.StatusOK || r.body != "success" {
			t.Errorf("%s: %d %q", revokeInfo, r.status, r.body)
		}
		if got := s.do(http.MethodGet, "/orders", "", bearer...).status; got != want.session {
			t.Errorf("%s: the session gets %d, want %d", revokeInfo, got, want.session)
		}
		s.do(http.MethodPost, pub+"/decode", data, bearer...).want(want.decode, want.code)
	}
}

func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	s := newCallbackSite(t)
	for name, test := range map[string]struct {
		target simpush.Target
		status int
		code   string
		detail string
	}{
		"another token":                {simpush.Target{Token: "other"}, 400, "invalid_request", ""},
		"plain, encryption configured": {simpush.Target{Token: secondToken}, 400, "invalid_request", ""},
		"encrypted with another key":   {simpush.Target{Token: secondToken, EncodingAESKey: strings.Repeat("b", 42) + "A", Receiver: second.ID}, 400, "decrypt_failed", "EncodingAESKey"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := simpush.Message(s.sim, "hello", test.target)
			if err != nil {
				t.Fatal(err)
			}
			r := s.push(p)
			r.t = t
			r.want(test.status, test.code)
			if !strings.Contains(r.get("detail"), test.detail) {
				t.Errorf("detail %q", r.get("detail"))
			}
		})
	}
	p := simpush.Check(s.sim, simpush.Target{Token: firstToken})
	s.serve(httptest.NewRequest(http.MethodPost, pub+"/callback?"+p.Query.Encode(), strings.NewReader(strings.Repeat("x", callback.MaxBytes+1)))).want(http.StatusRequestEntityTooLarge, "")
}

// The error of the app whose token signed a request is returned, in any order of the apps.
func TestFirstAccepting(t *testing.T) {
	t.Parallel()
	callbacks := []*callback.Receiver{nil, nil, nil}
	for name, errs := range map[string][]error{
		"first": {auth.ErrDecryptFailed, auth.ErrForbidden, auth.ErrForbidden},
		"last":  {auth.ErrForbidden, auth.ErrForbidden, auth.ErrDecryptFailed},
	} {
		i := -1
		_, err := firstAccepting(callbacks, func(*callback.Receiver) (int, error) { i++; return 0, errs[i] })
		if err != auth.ErrDecryptFailed { //nolint:errorlint // compares identity
			t.Errorf("%s: %v", name, err)
		}
	}
}
