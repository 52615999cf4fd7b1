package wechatsim

import (
	"crypto/rand"
	"math"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// tokenLifetime is how long an access_token is valid: 7200 seconds.
	tokenLifetime = 7200 * time.Second

	// tokenOverlap is how long a token of /cgi-bin/token stays valid after it was replaced,
	// and how long before its end stable_token renews its token.
	tokenOverlap = 5 * time.Minute

	// tokenMemory is how long an expired token is refused with 42001, and not with 40001.
	tokenMemory = 24 * time.Hour
)

// An accessToken is an app's credential for the calls that need one.
type accessToken struct {
	app     string
	value   string
	expires time.Time
	revoked time.Time // when it became invalid; zero: not revoked
}

// grant is the response of both token calls.
type grant struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// token is GET /cgi-bin/token (获取接口调用凭据). Every call returns a new token; the previous
// one stays valid for five minutes.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getAccessToken.html
//
// It is for mini programs and official accounts, as stable_token.
func (s *Sim) token(c call) protocol.Response {
	appid := c.query.Get("appid")
	if code := s.checkSecret(appid, c.query.Get("secret"), MiniProgram, Official); code != 0 {
		return failure(c.path, code)
	}
	if c.query.Get("grant_type") != "client_credential" {
		return failure(c.path, protocol.ErrGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return protocol.Success(s.grantOf(s.renewToken(appid)))
}

// newToken makes a token of app. It is called with s.mu held.
func (s *Sim) newToken(app string) *accessToken {
	now := s.Now()
	var value strings.Builder
	value.WriteString("98_")
	for range 5 { // 133 characters, as real tokens have
		value.WriteString(rand.Text())
	}
	t := &accessToken{app: app, value: value.String(), expires: now.Add(tokenLifetime)}
	s.tokens.Put(t.value, t, now, t.expires.Add(tokenMemory))
	return t
}

// grantOf returns t as the response of a token call, with its remaining life. A new token has
// 7200 seconds, although some microseconds are gone.
func (s *Sim) grantOf(t *accessToken) grant {
	return grant{AccessToken: t.value, ExpiresIn: int(math.Ceil(t.expires.Sub(s.Now()).Seconds()))}
}

// checkToken returns the app of an access_token, or the errcode with which WeChat refuses it.
// It is called with s.mu held.
func (s *Sim) checkToken(value string) (app string, errcode int) {
	t, ok := s.tokens.Get(value)
	now := s.Now()
	switch {
	case value == "":
		return "", protocol.ErrTokenMissing
	case !ok:
		return "", protocol.ErrInvalidToken
	case !now.Before(t.expires):
		return "", protocol.ErrTokenExpired
	case !t.revoked.IsZero() && !now.Before(t.revoked):
		return "", protocol.ErrInvalidToken
	}
	return t.app, 0
}

// ExpireTokens makes every access_token of every app expire: calls with them return 42001, and
// the token calls return new tokens.
func (s *Sim) ExpireTokens() {
	s.web.ExpireTokens()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for _, t := range s.tokens.All() {
		if t.expires.After(now) {
			t.expires = now
		}
	}
}

const (
	// forcePerDay is how often force_refresh works in a day: 20 times.
	forcePerDay = 20

	// forceInterval is the least time between two: 30 seconds.
	forceInterval = 30 * time.Second
)

// stableState is the state of one app's stable token.
type stableState struct {
	current  *accessToken
	forced   time.Time // when force_refresh last succeeded
	forcedOn string    // the day of that, in Beijing
	count    int       // how often it succeeded on that day
}

// stableInput is the body of the call. force_refresh must be a JSON boolean.
type stableInput struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`
}

// stableToken is POST /cgi-bin/stable_token (获取稳定版接口调用凭据). Its tokens and those of
// /cgi-bin/token do not affect each other.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getStableAccessToken.html
func (s *Sim) stableToken(c call) protocol.Response {
	var in stableInput
	if code := protocol.Decode(c.body, &in); code != 0 {
		return failure(c.path, code)
	}
	if code := s.checkSecret(in.AppID, in.Secret, MiniProgram, Official); code != 0 {
		return failure(c.path, code)
	}
	if in.GrantType != "client_credential" {
		return failure(c.path, protocol.ErrGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.stable[in.AppID]
	if state == nil {
		state = &stableState{}
		s.stable[in.AppID] = state
	}
	if in.ForceRefresh {
		if code := state.force(s.Now()); code != 0 {
			return failure(c.path, code)
		}
		if state.current != nil {
			state.current.revoked = s.Now() // force_refresh leaves no overlap
		}
		state.current = s.newToken(in.AppID)
	}
	if state.current == nil || !s.Now().Before(state.current.expires.Add(-tokenOverlap)) {
		state.current = s.newToken(in.AppID) // the old one stays valid until it expires
	}
	return protocol.Success(s.grantOf(state.current))
}

// force counts one force_refresh, or returns the errcode that refuses it: 45009 after twenty
// on a day, 45011 within 30 seconds of the last. The documentation has both codes but does
// not say which is for what.
func (st *stableState) force(now time.Time) int {
	day := now.In(protocol.Beijing).Format(time.DateOnly)
	if day != st.forcedOn {
		st.forcedOn, st.count = day, 0
	}
	if st.count >= forcePerDay {
		return protocol.ErrDailyQuota
	}
	if !st.forced.IsZero() && now.Sub(st.forced) < forceInterval {
		return protocol.ErrMinuteQuota
	}
	st.count++
	st.forced = now
	return 0
}
