package wechatsim

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// codeLifetime is how long a code of any kind is valid: five minutes according to
	// the documentation of each.
	codeLifetime = 5 * time.Minute

	// codeMemory is how long after that a used code is refused as used. Later it is an
	// unknown code.
	codeMemory = time.Hour
)

// A codeKind is the kind of a code, which is valid for one call only.
type codeKind int

const (
	loginCode codeKind = iota
	phoneCode
	pluginCode
)

// A code was made by a phone. The app's server can exchange it once.
type code struct {
	kind       codeKind
	user       userKey
	expires    time.Time
	used       bool
	sessionKey string      // login: the session_key of the login; empty: a new key
	phone      PhoneNumber // phone: the number of the exchange
	host       string      // plugin: the mini program that it runs in
}

// A Code is a new code with its user.
type Code struct {
	Code      string    `json:"code"`
	App       string    `json:"appid"`
	OpenID    string    `json:"openid"`
	ExpiresAt time.Time `json:"expires_at"`
}

// A Login has what a login returns in addition to the openid.
type Login struct {
	UnionID    string // sets the user's unionid; empty: unchanged
	SessionKey string // the session_key to return instead of a new one
	CorpID     string // WeCom: sets the user's company; empty: unchanged
}

// ErrNoPhoneCodes means that the platform or the kind of app has no phone codes, or that its documentation is
// not sufficient to simulate them.
var ErrNoPhoneCodes = errors.New("no phone codes on this platform")

// ErrNotMiniProgram means that an official account or a website has no wx.login: see
// [Sim.MintWebCode].
var ErrNotMiniProgram = errors.New("the app is not a mini program")

// ErrNoPluginCodes means that the platform has no plugins with a login.
var ErrNoPluginCodes = errors.New("no plugin codes on this platform")

// MintCode does what wx.login does on the user's phone, or qq.login, tt.login and so on: it
// returns a code that the platform's login accepts once, within five minutes (on Kuaishou
// ten).
//
// According to WeChat, wx.login may replace the session_key. The simulator always does, when
// the code is exchanged. RotateSessionKey replaces it earlier.
func (s *Sim) MintCode(u User, l Login) (Code, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	if app, _ := s.app(key.app); app.Kind != MiniProgram {
		return Code{}, ErrNotMiniProgram
	}
	if l.SessionKey != "" {
		if _, err := s.decodeSessionKey(key.app, l.SessionKey); err != nil {
			return Code{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.userOf(key)
	if rec.name == "" && u.OpenID == "" {
		rec.name = cmp.Or(u.Name, defaultName)
	}
	if l.UnionID != "" {
		rec.unionid = l.UnionID
	}
	if l.CorpID != "" {
		rec.corpID = l.CorpID
	}
	return s.mint("0"+(rand.Text() + rand.Text())[:31], &code{
		kind: loginCode, user: key, sessionKey: l.SessionKey,
	}), nil
}

// MintPhoneCode does what <button open-type="getPhoneNumber"> does: it returns a code that
// /wxa/business/getuserphonenumber accepts once, within five minutes. The user need not be
// logged in.
func (s *Sim) MintPhoneCode(u User, p PhoneNumber) (Code, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	if !s.isMiniProgram(key.app) {
		return Code{}, ErrNoPhoneCodes
	}
	phone, err := s.phoneOf(key, p)
	if err != nil {
		return Code{}, err
	}
	return s.mintHex(&code{kind: phoneCode, user: key, phone: phone}), nil
}

// mintHex mints a code of 64 hexadecimal digits, as those for phone numbers and of plugins are.
func (s *Sim) mintHex(c *code) Code {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: see crypto/rand
	s.mu.Lock()
	defer s.mu.Unlock()
	s.userOf(c.user)
	return s.mint(hex.EncodeToString(raw[:]), c)
}

// mint stores c. It is called with s.mu held.
func (s *Sim) mint(value string, c *code) Code {
	now := s.Now()
	c.expires = now.Add(codeLifetime)
	if _, ok := s.appOn(Kuaishou, c.user.app); ok {
		c.expires = now.Add(kuaishouCodeLifetime)
	}
	s.codes.Put(value, c, now, c.expires.Add(codeMemory))
	return Code{Code: value, App: c.user.app, OpenID: c.user.openid, ExpiresAt: c.expires}
}

// usable returns a code of a kind, or the errcode with which WeChat refuses it. A code of
// another kind is an invalid code. It is called with s.mu held.
func (s *Sim) usable(value string, kind codeKind) (*code, int) {
	c, ok := s.codes.Get(value)
	switch {
	case value == "":
		return nil, protocol.ErrCodeMissing
	case !ok || c.kind != kind:
		return nil, protocol.ErrInvalidCode
	case c.used:
		return nil, protocol.ErrCodeUsed
	case !s.Now().Before(c.expires):
		return nil, protocol.ErrInvalidCode
	}
	return c, 0
}
