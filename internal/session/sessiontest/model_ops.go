package sessiontest

import (
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// kind is an operation and how often it is chosen.
type kind struct {
	name   string
	weight int
	do     func()
}

func (r *ModelRun) kinds() []kind {
	return []kind{
		{"login", 60, func() { r.login(r.user()) }},
		{"logins in a loop", 1, r.loginLoop},
		{"refresh current", 80, func() { r.refresh(0) }},
		{"refresh previous", 50, func() { r.refresh(1) }},
		{"refresh previous, often", 5, r.replayOften},
		{"refresh previous, late", 5, r.replayLate},
		{"refresh old", 5, func() { r.refresh(2 + r.Rand.IntN(3)) }},
		{"refresh forged", 5, r.refreshForged},
		{"authenticate", 100, r.authenticate},
		{"decode", 50, r.decode},
		{"keys", 25, r.compareKeys},
		{"put key", 15, r.putKey},
		{"drop key", 15, r.dropKey},
		{"logout", 15, func() { r.logout(false) }},
		{"logout all", 5, func() { r.logout(true) }},
		{"revoke refresh", 10, r.revokeRefresh},
		{"revoke signing key", 5, r.revokeSigningKey},
		{"sweep", 15, r.sweep},
		{"advance", 40, r.advance},
		{"crash", 10, r.restart},
	}
}

// wantErr compares classes of errors.
func (r *ModelRun) wantErr(what string, got, want error) bool {
	if want == nil && got == nil || want != nil && errors.Is(got, want) {
		return got == nil
	}
	r.Errorf("%s: got %v, want %v", what, got, want)
	return false
}

func (r *ModelRun) user() auth.User { return r.users[r.Rand.IntN(len(r.users))] }

// session picks a session, mostly one of the latest.
func (r *ModelRun) session() *modelSession {
	n := len(r.model.sessions)
	if n == 0 {
		return nil
	}
	if latest := min(n, 8); r.Rand.IntN(4) > 0 {
		return r.model.sessions[n-1-r.Rand.IntN(latest)]
	}
	return r.model.sessions[r.Rand.IntN(n)]
}

func (r *ModelRun) login(u auth.User) {
	key := fmt.Sprintf("k%d", r.Rand.IntN(8))
	now := r.c.Now()
	grant, err := r.service.Login(r.Context(), u.App, string(u.OpenID)+" "+key, auth.Client{Device: auth.DeviceOther})
	if !r.wantErr("login", err, nil) {
		return
	}
	s := &modelSession{
		id: grant.Identity.Session, user: u, refresh: []string{grant.RefreshToken},
		idleEnd: now.Add(Idle), absEnd: now.Add(Life),
	}
	r.model.login(s, key, now)
	r.keep(grant, s)
}

// loginLoop is an old client that logs in again and again.
func (r *ModelRun) loginLoop() {
	u := r.user()
	for range 110 {
		r.c.Advance(time.Millisecond)
		r.model.settle(r.c.Now())
		r.login(u)
		r.authenticate()
	}
}

// keep stores an issued access token for later operations.
func (r *ModelRun) keep(grant *auth.Grant, s *modelSession) {
	want := r.c.Now().Add(Access)
	if want.After(s.end()) {
		want = s.end()
	}
	if !grant.AccessExpires.Equal(want) || grant.Identity.User != s.user || grant.Identity.Session != s.id || grant.Identity.Phone != s.phone {
		r.Errorf("granted %+v until %v, want %+v until %v", grant.Identity, grant.AccessExpires, s, want)
	}
	key := auth.KeyID(fmt.Sprintf("key%d", r.signing))
	r.tokens = append(r.tokens, modelToken{grant.AccessToken, s, key, want, s.phone})
	const most = 400
	r.tokens = r.tokens[max(0, len(r.tokens)-most):]
}

func (r *ModelRun) authenticate() { r.bearer() }

// bearer presents an access token that a client has.
func (r *ModelRun) bearer() (*auth.Identity, *modelSession) {
	if len(r.tokens) == 0 {
		return nil, nil
	}
	token := r.tokens[r.Rand.IntN(len(r.tokens))]
	id, err := r.service.Authenticate(token.raw)
	if !r.wantErr("authenticate", err, r.model.admits(token, r.c.Now())) {
		return nil, nil
	}
	if id.Session != token.session.id || id.User != token.session.user || id.Phone != token.phone {
		r.Errorf("admitted %+v, want %+v", id, token)
	}
	return id, token.session
}

func (r *ModelRun) logout(all bool) {
	id, s := r.bearer()
	if id == nil {
		return
	}
	r.wantErr("logout", r.service.Logout(r.Context(), id, all), nil)
	if all {
		r.model.endUser(s.user)
	} else {
		r.model.stop(s, "logout")
	}
}

func (r *ModelRun) advance() {
	steps := []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 10 * time.Minute, time.Hour, Idle / 2}
	r.c.Advance(steps[r.Rand.IntN(len(steps))])
}

func (r *ModelRun) sweep() {
	_, err := r.store.Sweep(r.Context(), r.c.Now(), 1+r.Rand.IntN(20))
	r.wantErr("sweep", err, nil)
	r.model.sweep(r.c.Now())
}

func (r *ModelRun) restart() {
	if r.Crash != nil {
		r.use(r.Crash())
	}
}
