package wechatsim

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/phonenumber"
)

// defaultName is the user meant when a call names none.
const defaultName = "alice"

const (
	// sessionKeySize is the length of a decoded session_key, an AES-128 key.
	sessionKeySize = 16
	// xiaohongshuKeySize is the size on Xiaohongshu's page.
	xiaohongshuKeySize = 24
)

var (
	// ErrUnknownApp means that the simulator was not configured with that app.
	ErrUnknownApp = errors.New("unknown app")

	// ErrDuplicateUser means that a user of that name or openid was added to the app before.
	ErrDuplicateUser = errors.New("duplicate user")

	// ErrNoSessionKey means that the user has not logged in, or that the key
	// was dropped: a phone could not encrypt anything then.
	ErrNoSessionKey = errors.New("no session_key")

	// ErrBadSessionKey means that a key given is not base64 of 16 bytes, or of 24
	// on Xiaohongshu.
	ErrBadSessionKey = errors.New("bad session_key")
)

// A User says whose phone is meant. The zero value is a user of the first app.
type User struct {
	App    string // appid; default: the first configured
	OpenID string // default: that of the user added with Name, or OpenIDFor(App, Name)
	Name   string // default: "alice"; only read when OpenID is empty
}

// OpenIDFor is the openid a named user has in an app: the same at every run,
// another one in another app, 28 characters beginning with "o" as WeChat's.
func OpenIDFor(appid, name string) string {
	sum := sha256.Sum256([]byte(appid + "\x00" + name))
	return "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
}

// userKey names a user: openids mean something within one app only.
type userKey struct {
	app, openid string
}

// A user is what WeChat remembers of one person in one app.
type user struct {
	userKey
	nickname   string
	name       string      // of AddUser, or of the call that first made a login code
	phone      PhoneNumber // the number that the user's phone gives if a call names none
	unionid    string      // empty when the app is not bound to an Open Platform account
	sessionKey string      // empty before the first login and after a drop
	corpID     string      // WeCom: the user's company, when it is not the app's
	highRisk   bool
	riskRank   int       // what getuserriskrank returns
	visited    time.Time // the last login
}

// Resolve returns u with its app and openid. The error is [ErrUnknownApp].
func (s *Sim) Resolve(u User) (User, error) {
	key, err := s.resolve(u)
	if err != nil {
		return User{}, err
	}
	u.App, u.OpenID = key.app, key.openid
	return u, nil
}

// resolve fills in u's defaults.
func (s *Sim) resolve(u User) (userKey, error) {
	if u.App == "" {
		u.App = s.apps[0].ID
	}
	if _, ok := s.app(u.App); !ok {
		return userKey{}, fmt.Errorf("%w: %q", ErrUnknownApp, u.App)
	}
	if u.Name == "" {
		u.Name = defaultName
	}
	if u.OpenID == "" {
		u.OpenID = s.openIDOf(u.App, u.Name)
	}
	return userKey{app: u.App, openid: u.OpenID}, nil
}

// openIDOf returns the openid of a name in an app.
func (s *Sim) openIDOf(appid, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openIDNamed(appid, name)
}

// openIDNamed is openIDOf with s.mu held.
func (s *Sim) openIDNamed(appid, name string) string {
	if openid, ok := s.names[userKey{appid, name}]; ok {
		return openid
	}
	return OpenIDFor(appid, name)
}

// userOf returns the record of key, made at first sight. Hold s.mu.
func (s *Sim) userOf(key userKey) *user {
	found, ok := s.users[key]
	if !ok {
		found = &user{userKey: key}
		s.users[key] = found
	}
	return found
}

// change runs f on u's record under the lock.
func (s *Sim) change(u User, f func(*user)) error {
	key, err := s.resolve(u)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.userOf(key))
	return nil
}

// Details is what WeChat knows of a user before the first login.
type Details struct {
	UnionID string      // empty: the app is not bound to an Open Platform account
	CorpID  string      // WeCom: the user's company, when it is not the app's
	Phone   PhoneNumber // what the user's phone gives if a call names no number; default: FakePhone

	RiskRank int // what getuserriskrank returns, 0 to 4

	NickName string // what a web login returns; default: the name
}

// AddUser adds a user. From then on u.Name means this user, whatever the openid is.
// The errors are [ErrUnknownApp], [ErrBadPhone], [ErrBadRank] and [ErrDuplicateUser].
func (s *Sim) AddUser(u User, d Details) error {
	key, err := s.resolve(u)
	if err != nil {
		return err
	}
	if _, err := d.Phone.Normal(key.openid); err != nil {
		return err
	}
	if err := checkRank(d.RiskRank); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.users[key]; ok {
		return fmt.Errorf("%w: openid %q in app %q", ErrDuplicateUser, key.openid, key.app)
	}
	if u.Name != "" {
		named := userKey{key.app, u.Name}
		if _, ok := s.names[named]; ok {
			return fmt.Errorf("%w: user %q in app %q", ErrDuplicateUser, u.Name, key.app)
		}
		s.names[named] = key.openid
	}
	s.users[key] = &user{userKey: key, name: u.Name, phone: d.Phone, unionid: d.UnionID, corpID: d.CorpID, riskRank: d.RiskRank, nickname: d.NickName}
	return nil
}

// A UserState is a user with what WeChat knows of them now.
type UserState struct {
	User
	Details
	SessionKey string // empty before the first login and after a drop
	HighRisk   bool
}

// Users returns every user that was added or that a call named, by app, name and openid.
func (s *Sim) Users() []UserState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]UserState, 0, len(s.users))
	for key, rec := range s.users {
		phone, _ := rec.phone.Normal(key.openid) // AddUser checked it
		all = append(all, UserState{
			User:       User{App: key.app, OpenID: key.openid, Name: rec.name},
			Details:    Details{UnionID: rec.unionid, CorpID: rec.corpID, Phone: phone, RiskRank: rec.riskRank, NickName: rec.nickname},
			SessionKey: rec.sessionKey, HighRisk: rec.highRisk,
		})
	}
	at := func(u UserState) int { return slices.IndexFunc(s.apps, func(a App) bool { return a.ID == u.App }) }
	slices.SortFunc(all, func(a, b UserState) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.OpenID, b.OpenID))
	})
	return all
}

// SetHighRisk makes WeChat refuse, or again allow, the user's logins (40226).
func (s *Sim) SetHighRisk(u User, risky bool) error {
	return s.change(u, func(rec *user) { rec.highRisk = risky })
}

// RotateSessionKey replaces the user's session_key behind every server's back,
// as data pre-fetch does, and a wx.login whose code is not exchanged, and returns
// the new one.
func (s *Sim) RotateSessionKey(u User) (string, error) {
	at, err := s.resolve(u)
	if err != nil {
		return "", err
	}
	key := s.newSessionKey(at.app)
	return key, s.change(u, func(rec *user) { rec.sessionKey = key })
}

// DropSessionKey makes WeChat forget the user's session_key: 87007 from now on.
func (s *Sim) DropSessionKey(u User) error {
	return s.change(u, func(rec *user) { rec.sessionKey = "" })
}

// SessionKey returns the user's current session_key.
func (s *Sim) SessionKey(u User) (string, error) {
	var key string
	if err := s.change(u, func(rec *user) { key = rec.sessionKey }); err != nil {
		return "", err
	}
	if key == "" {
		return "", ErrNoSessionKey
	}
	return key, nil
}

// keySize is the length of an app's users' session keys, in bytes.
func (s *Sim) keySize(appid string) int {
	if _, ok := s.appOn(Xiaohongshu, appid); ok {
		return xiaohongshuKeySize
	}
	return sessionKeySize
}

// newSessionKey returns base64 of random bytes, as many as the app's platform has.
func (s *Sim) newSessionKey(appid string) string {
	b := make([]byte, s.keySize(appid))
	_, _ = rand.Read(b) // never fails: see crypto/rand
	return base64.StdEncoding.EncodeToString(b)
}

// decodeSessionKey returns the AES key of a session_key. Xiaohongshu's may
// be as short as everybody's: its page says AES-128, too.
func (s *Sim) decodeSessionKey(appid, key string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSessionKey, err)
	}
	if size := s.keySize(appid); len(raw) != size && len(raw) != sessionKeySize {
		return nil, fmt.Errorf("%w: %d bytes, not %d", ErrBadSessionKey, len(raw), size)
	}
	return raw, nil
}

// virtualPhone returns the phone number of a virtual account; the zero value for other users,
// and on other platforms.
func (s *Sim) virtualPhone(key userKey) PhoneNumber {
	if s.isMiniProgram(key.app) {
		for _, account := range phonenumber.VirtualAccounts {
			if key.openid == s.openIDOf(key.app, account.Name) {
				return PhoneNumber{Number: account.Phone}
			}
		}
	}
	return PhoneNumber{}
}
