package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	callers = 8  // users who are logged in and call all the time
	phones  = 16 // each logs in one user after the other
	// callPause and loginPause are the longest pauses of a client, so that the test measures
	// the gateway and not the limit of the machine.
	callPause  = 20 * time.Millisecond
	loginPause = 50 * time.Millisecond
)

// caller is a user who logged in before the failures began.
type caller struct {
	openid string
	token  string
}

func (l *load) newCaller(name string) *caller {
	l.w.t.Helper()
	r, openid := l.loginAs(name)
	p, err := r.pair()
	if r.status != http.StatusOK || err != nil {
		l.w.t.Fatalf("login of %s: %v, %v", name, r.unexpected(), err)
	}
	return &caller{openid: openid, token: p.Access}
}

// loginAs logs a user in with a new code.
func (l *load) loginAs(name string) (r reply, openid string) {
	code, err := l.w.sim.Sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{})
	if err != nil {
		return reply{err: err}, ""
	}
	l.mu.Lock()
	l.codes = append(l.codes, code.Code)
	l.mu.Unlock()
	r = l.w.gateway.send(http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), "")
	return r, wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, name)
}

// run sends logins and calls for a while, and returns when all have a response.
func (l *load) run(name string, lasting time.Duration) *spell {
	s := &spell{w: l.w, name: name, codes: make(map[string]int)}
	ctx, cancel := context.WithTimeout(context.Background(), lasting)
	defer cancel()
	var group sync.WaitGroup
	var users atomic.Int32
	for range phones {
		group.Go(func() {
			for ctx.Err() == nil {
				l.logIn(s, fmt.Sprintf("%s%d", name, users.Add(1)))
				pause(ctx, loginPause)
			}
		})
	}
	for _, c := range l.callers {
		group.Go(func() {
			for ctx.Err() == nil {
				c.call(s)
				pause(ctx, callPause)
			}
		})
	}
	group.Wait()
	return s
}

// logIn logs a user in and makes a call with the token.
func (l *load) logIn(s *spell, name string) {
	r, openid := l.loginAs(name)
	if r.err != nil {
		s.w.wrong(s.name+": login", r.err)
		return
	}
	took := r.came.Sub(r.sent)
	if r.status != http.StatusOK {
		s.login(took, r, r.code())
		return
	}
	s.login(took, r, "ok")
	var granted struct {
		OpenID string `json:"openId"`
		Token  string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(r.body), &granted); err != nil || granted.OpenID != openid {
		s.w.wrong(s.name+": login", fmt.Errorf("the code of %s logged %q in (%w)", openid, granted.OpenID, err))
		return
	}
	(&caller{openid: openid, token: granted.Token}).call(s)
}

// call calls the business service, which responds with the user's openid.
func (c *caller) call(s *spell) {
	r := s.w.gateway.send(http.MethodGet, "/orders", "", c.token)
	if r.err != nil || r.status != http.StatusOK || r.body != c.openid {
		s.w.wrong(s.name+": call", fmt.Errorf("of %s: %w (%w)", c.openid, r.unexpected(), r.err))
		return
	}
	s.call(r.came.Sub(r.sent))
}
