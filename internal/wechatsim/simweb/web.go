// Package simweb has WeChat's logins of web pages: inside WeChat by an official account
// (公众号), elsewhere by a website app (网站应用); and the codes that open a mini program.
//
// https://developers.weixin.qq.com/doc/service/guide/h5/auth.html and
// https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
// are the pages that it is written from. WeChat serves the pages on open.weixin.qq.com; here
// they are on the API's port.
package simweb

import (
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/expiring"
)

// A Kind is the kind of an app on WeChat.
type Kind string

// The kinds.
const (
	MiniProgram Kind = ""         // 小程序
	Official    Kind = "official" // 公众号, a service account
	Website     Kind = "website"  // 网站应用 of the Open Platform
)

// Kinds returns the kinds of apps that log users in on web pages.
func Kinds() []Kind { return []Kind{Official, Website} }

// The paths of the web logins.
const (
	OfficialPath    = "/connect/oauth2/authorize"
	WebsitePath     = "/connect/qrconnect"
	AccessTokenPath = "/sns/oauth2/access_token"
	RefreshPath     = "/sns/oauth2/refresh_token"
	AuthPath        = "/sns/auth"
	UserInfoPath    = "/sns/userinfo"
)

// The paths of the calls that make codes of mini programs.
const (
	UnlimitedPath = "/wxa/getwxacodeunlimit"
	PathCodePath  = "/wxa/getwxacode"
	OldCodePath   = "/cgi-bin/wxaapp/createwxaqrcode"
)

// The scopes.
const (
	ScopeBase     = "snsapi_base"     // the openid alone
	ScopeUserInfo = "snsapi_userinfo" // the profile too
	ScopeLogin    = "snsapi_login"    // of website apps, the profile too
)

// scopes are what an app of each kind may ask for; the last is the default of Mint.
var scopes = map[Kind][]string{
	Official: {ScopeBase, ScopeUserInfo},
	Website:  {ScopeLogin},
}

// An App is what the logins know of an app on WeChat.
type App struct {
	ID        string
	Secret    string
	Kind      Kind
	Callbacks []string // hosts that a login may return to; default: those of this machine
}

// A Person is a user of an app.
type Person struct {
	Name     string
	OpenID   string
	UnionID  string // empty if the app is not bound to an Open Platform account
	NickName string
}

// Accounts are the apps and users of the simulator.
type Accounts interface {
	// Now returns the time in the simulation.
	Now() time.Time
	// App returns an app on WeChat.
	App(id string) (App, bool)
	// Names returns the names of users that the pages offer.
	Names() []string
	// Named returns the user of a name in an app, who exists from then on.
	Named(app, name string) Person
	// Person returns the user of an openid in an app.
	Person(app, openid string) Person
}

// A Request is a call or a page, without its method.
type Request struct {
	Path  string
	Raw   string // the query as it was sent
	Query url.Values
	Local bool // the client is on this machine
}

// Web has the state of the logins. Its methods are safe for concurrent use.
type Web struct {
	accounts Accounts

	mu     sync.Mutex // guards what follows; it is not held while accounts is called
	codes  expiring.Map[*code]
	tokens expiring.Map[*token]
	fresh  expiring.Map[*refresh] // by refresh_token
	late   map[string]bool        // by appid: access_token returns no unionid
	quotas map[string]*minute     // by appid
	made   []ProgramCode          // the latest, oldest first
}

// New returns the logins of apps and users.
func New(accounts Accounts) *Web {
	return &Web{
		accounts: accounts, codes: expiring.New[*code](), tokens: expiring.New[*token](), fresh: expiring.New[*refresh](),
		late: make(map[string]bool), quotas: make(map[string]*minute),
	}
}

// SetUserInfoOnly makes access_token return no unionid for an app, as for accounts that are
// older than that member, so that only userinfo returns it; or again both. The error is
// [ErrBadLogin].
func (w *Web) SetUserInfoOnly(app string, only bool) error {
	if _, err := w.webApp(app); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late[app] = only
	return nil
}

// webApp returns an app that web pages log in with. The error is [ErrBadLogin].
func (w *Web) webApp(id string) (App, error) {
	app, known := w.accounts.App(id)
	if !known || app.Kind == MiniProgram {
		return App{}, fmt.Errorf("%w: app %q is not of kind %s or %s", ErrBadLogin, id, Official, Website)
	}
	return app, nil
}

// ExpireTokens makes every access_token of a web login expire.
func (w *Web) ExpireTokens() {
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tokens.All() {
		if t.expires.After(now) {
			t.expires = now
		}
	}
}
