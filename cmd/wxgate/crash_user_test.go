package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	pub = "/v1.0/pub"

	maxSessions = 6  // of a user; with so many, the user does not log in
	maxLogins   = 90 // between two logouts of all: at 100, the gateway ends a user's oldest session
	// auditedEnded limits how many ended sessions of earlier rounds an audit checks. It checks
	// all that ended in the last round.
	auditedEnded = 10
)

// user is one WeChat user with one phone, which sends one request after the other, or two at
// once. No other phone logs in as this user.
type user struct {
	w      *world
	name   string
	openid string

	live   []*session // alive or unsure
	over   []*session // ended since the last audit
	past   []*session // ended before
	logins int        // since all sessions ended
}

func newUser(w *world, name string) *user {
	return &user{w: w, name: name, openid: wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, name)}
}

// run sends random requests until ctx ends.
func (u *user) run(ctx context.Context) {
	for ctx.Err() == nil {
		u.act()
		u.sort()
		pause(ctx, u.w.tempo)
	}
}

func (u *user) act() {
	n := rand.IntN(100)
	switch {
	case u.logins >= maxLogins:
		u.logoutAll()
		return
	case len(u.live) == 0 || n < 15 && len(u.live) < maxSessions:
		u.login()
		return
	}
	s := u.live[rand.IntN(len(u.live))]
	switch {
	case n < 40:
		u.call(s, s.access[rand.IntN(len(s.access))])
	case n < 55:
		u.refresh(s)
	case n < 63:
		u.refreshAtOnce(s, 2+rand.IntN(3))
	case n < 71:
		u.replay(s)
	case n < 77:
		u.decode(s)
	case n < 82:
		u.logout(s)
	case n < 86:
		u.revoke(s)
	case n < 90:
		u.logoutDuringRefresh(s)
	case n < 93:
		u.logoutAll()
	case len(u.over) > 0:
		u.disturb(u.over[rand.IntN(len(u.over))])
	}
}

// sort moves the ended sessions to over.
func (u *user) sort() {
	var live []*session
	for _, s := range u.live {
		if s.fate == ended {
			u.over = append(u.over, s)
		} else {
			live = append(live, s)
		}
	}
	u.live = live
}

func (u *user) wrong(what string, err error) {
	u.w.wrong(u.name+": "+what, err)
}

func (u *user) login() {
	code, err := u.w.sim.Sim.MintCode(wechatsim.User{Name: u.name}, wechatsim.Login{})
	if err != nil {
		u.wrong("minting a code", err)
		return
	}
	u.logins++
	u.w.count("logins")
	r := u.w.ask(http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), "")
	switch {
	case !u.w.received(r):
	case r.status == http.StatusOK:
		p, err := r.pair()
		u.wrong("login", err)
		s := &session{refresh: p.Refresh, late: u.w.late}
		s.keep(p.Access)
		u.live = append(u.live, s)
	case r.status >= http.StatusInternalServerError && r.code() != "store_unavailable":
		u.w.count("logins that the simulator delayed too long")
	default:
		u.wrong("login", r.unexpected())
	}
}

// call calls the business service behind the gateway, which responds with the user's openid.
func (u *user) call(s *session, token string) {
	u.w.count("calls")
	r, key := u.w.keys.during(token, func() reply { return u.w.ask(http.MethodGet, "/orders", "", token) })
	u.w.received(r)
	u.wrong("call", s.called(r, key))
	if r.received() && r.status == http.StatusOK && r.body != u.openid {
		u.wrong("call", fmt.Errorf("the service received the openid %q", r.body))
	}
}

func (u *user) present(token string) reply {
	u.w.count("refreshes")
	r := u.w.ask(http.MethodPost, pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token), "")
	u.w.received(r)
	return r
}

func (u *user) refresh(s *session) {
	if s.mayRefresh(time.Now()) {
		u.wrong("refresh", s.refreshed(u.present(s.refresh)))
	}
}

func (u *user) replay(s *session) {
	if s.mayReplay(time.Now()) {
		u.wrong("repeated refresh", s.replayed(u.present(s.previous)))
	}
}

// refreshAtOnce presents one refresh token n times at once: all responses are the same.
func (u *user) refreshAtOnce(s *session, n int) {
	if s.unanswered+n > maxReplays || !s.mayRefresh(time.Now()) {
		return
	}
	replies := make([]reply, n)
	var group sync.WaitGroup
	for i := range replies {
		group.Go(func() { replies[i] = u.present(s.refresh) })
	}
	group.Wait()
	var responses []reply
	for _, r := range replies {
		if r.received() {
			responses = append(responses, r)
		} else {
			u.wrong("refresh", s.refreshed(r))
		}
	}
	for i, r := range responses {
		if i == 0 {
			u.wrong("simultaneous refresh", s.refreshed(r))
		} else {
			u.wrong("simultaneous refresh", s.replayed(r))
		}
	}
}

// token returns the newest access token, which should be valid.
func (s *session) token() string { return s.access[len(s.access)-1] }

func (u *user) endSession(s *session, body string) (reply, lifetime) {
	u.w.count("logouts")
	r, key := u.w.keys.during(s.token(), func() reply {
		return u.w.ask(http.MethodPost, pub+"/logout", body, s.token())
	})
	u.w.received(r)
	return r, key
}

func (u *user) logout(s *session) {
	r, key := u.endSession(s, "")
	u.wrong("logout", s.loggedOut(r, key))
}

// revoke revokes the current refresh token (RFC 7009): the response is 200, and the session has
// ended.
func (u *user) revoke(s *session) {
	u.w.count("logouts")
	r := u.w.ask(http.MethodPost, pub+"/revoke", fmt.Sprintf(`{"token":%q}`, s.refresh), "")
	switch {
	case r.unsent():
	case !u.w.received(r):
		s.mayEnd(nil)
	case r.status == http.StatusOK:
		s.end(r)
	default:
		u.wrong("revoke", r.unexpected())
	}
}

// logoutDuringRefresh logs out and refreshes at once. If the logout had a response, the tokens
// of the refresh are invalid.
func (u *user) logoutDuringRefresh(s *session) {
	if !s.mayRefresh(time.Now()) {
		return
	}
	var refreshed reply
	var group sync.WaitGroup
	before := s.refresh
	group.Go(func() { refreshed = u.present(before) })
	loggedOut, key := u.endSession(s, "")
	group.Wait()
	was := s.fate
	s.mayEnd(nil)
	u.wrong("refresh during a logout", s.refreshed(refreshed))
	switch {
	case loggedOut.received() && loggedOut.status == http.StatusNoContent:
		s.end(loggedOut)
	case !loggedOut.received():
		s.mayEnd(nil)
	case was == alive && s.fate == unsure:
		s.fate = alive // the logout was refused; the next line checks why
		u.wrong("logout during a refresh", s.refused(loggedOut, key))
	default:
		u.wrong("logout during a refresh", s.refused(loggedOut, key))
	}
}

// logoutAll ends every session of the user, including those of logins without a response.
func (u *user) logoutAll() {
	if len(u.live) == 0 {
		u.login() // to have a token to log out with
		return
	}
	s := u.live[rand.IntN(len(u.live))]
	r, key := u.endSession(s, `{"all":true}`)
	switch {
	case r.unsent():
	case !r.received():
		all := new(everywhere)
		for _, s := range u.live {
			s.mayEnd(all)
		}
	case r.status == http.StatusNoContent:
		u.wrong("logout of all", s.admitted(r))
		for _, s := range u.live {
			s.end(r)
		}
		u.logins = 0
	default:
		u.wrong("logout of all", s.refused(r, key))
		u.refresh(s) // its key was retired, or the session has ended
	}
}

// decode makes the gateway store a verified phone number; see [user.known].
func (u *user) decode(s *session) {
	code, err := u.w.sim.Sim.MintPhoneCode(wechatsim.User{Name: u.name}, wechatsim.PhoneNumber{})
	if err != nil {
		u.wrong("minting a phone code", err)
		return
	}
	u.w.count("phone numbers")
	token := s.token()
	r, key := u.w.keys.during(token, func() reply {
		return u.w.ask(http.MethodPost, pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), token)
	})
	if !u.w.received(r) || r.status >= http.StatusInternalServerError {
		return
	}
	u.wrong("decode", s.called(r, key))
	var granted struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(r.body), &granted); err == nil && granted.Access != "" {
		s.phone = true
		s.keep(granted.Access)
	}
}

// disturb presents the tokens of an ended session again.
func (u *user) disturb(s *session) {
	for _, token := range s.access {
		u.call(s, token)
	}
	u.refresh(s)
}

// audit checks every response that the user received before the gateway was killed.
func (u *user) audit() {
	for range len(u.past) - auditedEnded {
		i := rand.IntN(len(u.past))
		u.past[i] = u.past[len(u.past)-1]
		u.past = u.past[:len(u.past)-1]
	}
	for _, s := range append(u.over, u.past...) {
		u.disturb(s)
	}
	u.past, u.over = append(u.past, u.over...), nil
	for _, s := range u.live {
		for _, token := range s.access {
			u.call(s, token)
		}
		s.rest()
		u.refresh(s) // yields a pair, even if the token was spent without a response
		u.replay(s)
		u.known(s)
	}
	u.sort()
}

// known checks that a verified phone number is still known. The access token is from the
// refresh of the audit.
func (u *user) known(s *session) {
	if !s.phone || s.fate != alive {
		return
	}
	token := s.token()
	r, key := u.w.keys.during(token, func() reply {
		return u.w.ask(http.MethodGet, pub+"/session", "", token)
	})
	var who struct {
		Phone bool `json:"phone_verified"`
	}
	if u.w.received(r) && r.status == http.StatusOK && json.Unmarshal([]byte(r.body), &who) == nil && !who.Phone {
		u.wrong("session", errors.New("a verified phone number was lost"))
	}
	u.wrong("session", s.called(r, key))
}
