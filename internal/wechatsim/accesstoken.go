package wechatsim

import (
	"crypto/rand"
	"strings"
	"time"
)

const (
	// tokenLifetime is how long an access_token lives: 7200 seconds.
	tokenLifetime = 7200 * time.Second

	// tokenOverlap is how long a token of /cgi-bin/token outlives its
	// successor, and how early stable_token renews its own.
	tokenOverlap = 5 * time.Minute

	// tokenMemory is how long a dead token still answers 42001 and not 40001.
	tokenMemory = 24 * time.Hour
)

// An accessToken is one app's credential for the calls that need one.
type accessToken struct {
	app     string
	value   string
	expires time.Time
	revoked time.Time // invalid from then on; zero: never revoked
}

// grant is the answer of both token calls.
type grant struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// token is GET /cgi-bin/token (获取接口调用凭据). Every call makes a new token
// and leaves the previous one five more minutes.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getAccessToken.html
func (s *Sim) token(c call) answer {
	appid := c.query.Get("appid")
	if code := s.checkSecret(appid, c.query.Get("secret")); code != 0 {
		return failure(c.path, code)
	}
	if c.query.Get("grant_type") != "client_credential" {
		return failure(c.path, errGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return success(s.grantOf(s.renewToken(appid)))
}

// newToken mints a token of app. Hold s.mu.
func (s *Sim) newToken(app string) *accessToken {
	now := s.Now()
	var value strings.Builder
	value.WriteString("98_")
	for range 5 { // 133 characters: the length real ones have
		value.WriteString(rand.Text())
	}
	t := &accessToken{app: app, value: value.String(), expires: now.Add(tokenLifetime)}
	s.tokens.put(t.value, t, now, t.expires.Add(tokenMemory))
	return t
}

// grantOf is t as the token calls answer it, with what is left of its life.
func (s *Sim) grantOf(t *accessToken) grant {
	return grant{AccessToken: t.value, ExpiresIn: int(t.expires.Sub(s.Now()) / time.Second)}
}

// checkToken returns the app an access_token belongs to, or the errcode with
// which WeChat refuses it. Hold s.mu.
func (s *Sim) checkToken(value string) (app string, errcode int) {
	t, ok := s.tokens.get(value)
	now := s.Now()
	switch {
	case value == "":
		return "", errTokenMissing
	case !ok:
		return "", errInvalidToken
	case !now.Before(t.expires):
		return "", errTokenExpired
	case !t.revoked.IsZero() && !now.Before(t.revoked):
		return "", errInvalidToken
	}
	return t.app, 0
}

// ExpireTokens ends the life of every access_token of every app: each answers
// 42001 from now on, and the token calls hand out new ones.
func (s *Sim) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for _, t := range s.tokens.items {
		if t.expires.After(now) {
			t.expires = now
		}
	}
}
