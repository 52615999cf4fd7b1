package wechatsim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// codeLifetime is how long a code of either kind can be exchanged. Both
	// pages say five minutes.
	codeLifetime = 5 * time.Minute

	// codeMemory is how long after that a code still answers "used" when it
	// was; later nobody asks, and it is an unknown code like any other.
	codeMemory = time.Hour
)

// A codeKind says which call a code is good for: they are not interchangeable.
type codeKind int

const (
	loginCode codeKind = iota
	phoneCode
)

// A code is one ticket of a phone, to be exchanged once by the app's server.
type code struct {
	kind       codeKind
	user       userKey
	expires    time.Time
	used       bool
	sessionKey string      // login: what the login must answer; empty: a new key
	phone      PhoneNumber // phone: what the exchange answers
}

// A Code is a minted code and whose it is.
type Code struct {
	Code      string    `json:"code"`
	App       string    `json:"appid"`
	OpenID    string    `json:"openid"`
	ExpiresAt time.Time `json:"expires_at"`
}

// A Login is what a login is to bring besides the openid.
type Login struct {
	UnionID    string // the user's unionid from now on; empty: as it was
	SessionKey string // answer this key instead of a new one
	CorpID     string // WeCom: the user's own company from now on; empty: as it was
}

// ErrNoPhoneCodes means that the platform has no phone codes, or none whose
// documentation says enough to simulate them.
var ErrNoPhoneCodes = errors.New("no phone codes on this platform")

// MintCode does what wx.login does on the user's phone, and qq.login, tt.login and
// so on elsewhere: it returns a code that the platform's login takes once, within
// five minutes (Kuaishou's: ten).
//
// WeChat says that wx.login may replace the session_key; the simulator always
// does, and at the exchange. RotateSessionKey plays the earlier moment.
func (s *Sim) MintCode(u User, l Login) (Code, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	if l.SessionKey != "" {
		if _, err := s.decodeSessionKey(key.app, l.SessionKey); err != nil {
			return Code{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.userOf(key)
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

// MintPhoneCode does what a press on <button open-type="getPhoneNumber"> does:
// it returns a code that /wxa/business/getuserphonenumber takes once, within
// five minutes. The user need not have logged in.
func (s *Sim) MintPhoneCode(u User, p PhoneNumber) (Code, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	if _, ok := s.appOn(WeChat, key.app); !ok {
		return Code{}, ErrNoPhoneCodes
	}
	phone, err := p.normal(key.openid)
	if err != nil {
		return Code{}, err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: see crypto/rand
	s.mu.Lock()
	defer s.mu.Unlock()
	s.userOf(key)
	return s.mint(hex.EncodeToString(raw[:]), &code{kind: phoneCode, user: key, phone: phone}), nil
}

// mint remembers c under value. Hold s.mu.
func (s *Sim) mint(value string, c *code) Code {
	now := s.Now()
	c.expires = now.Add(codeLifetime)
	if _, ok := s.appOn(Kuaishou, c.user.app); ok {
		c.expires = now.Add(kuaishouCodeLifetime)
	}
	s.codes.put(value, c, now, c.expires.Add(codeMemory))
	return Code{Code: value, App: c.user.app, OpenID: c.user.openid, ExpiresAt: c.expires}
}

// usable finds a code of a kind and says with which errcode WeChat refuses it,
// 0 when it does not. A code of the other kind is an invalid code. Hold s.mu.
func (s *Sim) usable(value string, kind codeKind) (*code, int) {
	c, ok := s.codes.get(value)
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

// An expiring is a map that forgets its oldest entries some time after they
// stopped being valid, so that a simulator under load for a day does not grow
// for a day. Entries must be put in the order in which they may be forgotten.
// It has no lock of its own.
type expiring[V any] struct {
	items map[string]V
	queue []forget
}

// A forget is a key and the time from which nobody needs it.
type forget struct {
	key string
	at  time.Time
}

func newExpiring[V any]() expiring[V] {
	return expiring[V]{items: make(map[string]V)}
}

// put stores v until the time at, and drops what is due at now.
func (e *expiring[V]) put(key string, v V, now, at time.Time) {
	for len(e.queue) > 0 && now.After(e.queue[0].at) {
		delete(e.items, e.queue[0].key)
		e.queue = e.queue[1:]
	}
	e.items[key] = v
	e.queue = append(e.queue, forget{key: key, at: at})
}

// get returns the entry of key, valid or not, if it is still remembered.
func (e *expiring[V]) get(key string) (V, bool) {
	v, ok := e.items[key]
	return v, ok
}
