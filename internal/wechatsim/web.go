package wechatsim

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// The kinds of apps on WeChat.
const (
	MiniProgram = simweb.MiniProgram
	Official    = simweb.Official
	Website     = simweb.Website
)

// WebApps are an official account and a website, which a simulator knows beside DefaultApp when
// its Config names no apps. Users of one name have one unionid in them and in DefaultApp.
func WebApps() []App {
	return []App{
		{ID: "wx0000000000000004", Secret: "00000000000000000000000000000004", Kind: Official},
		{ID: "wx0000000000000005", Secret: "00000000000000000000000000000005", Kind: Website},
	}
}

// webRoutes are the logins of web pages, and the codes that open a mini program.
var webRoutes = map[string]route{
	simweb.OfficialPath:    {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).Official)},
	simweb.WebsitePath:     {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).Website)},
	simweb.AccessTokenPath: {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).AccessToken)},
	simweb.RefreshPath:     {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).Refresh)},
	simweb.AuthPath:        {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).Auth)},
	simweb.UserInfoPath:    {http.MethodGet, protocol.ErrRequireGet, onWeb((*simweb.Web).UserInfo)},
	simweb.UnlimitedPath:   {http.MethodPost, protocol.ErrRequirePost, (*Sim).programCode},
	simweb.PathCodePath:    {http.MethodPost, protocol.ErrRequirePost, (*Sim).programCode},
	simweb.OldCodePath:     {http.MethodPost, protocol.ErrRequirePost, (*Sim).programCode},
}

func onWeb(do func(*simweb.Web, simweb.Request) protocol.Response) func(*Sim, call) protocol.Response {
	return func(s *Sim, c call) protocol.Response {
		host, _, _ := net.SplitHostPort(c.peer)
		peer, err := netip.ParseAddr(host)
		return do(s.web, simweb.Request{Path: c.path, Raw: c.raw, Query: c.query, Local: err == nil && peer.Unmap().IsLoopback()})
	}
}

// programCode makes the code of a mini program: see [simweb.Web.ProgramCode]. Official accounts
// cannot make one.
func (s *Sim) programCode(c call) protocol.Response { return s.drawCode(c).ErrorAsJSON() }

func (s *Sim) drawCode(c call) protocol.Response {
	s.mu.Lock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	s.mu.Unlock()
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	if !s.isMiniProgram(app) {
		return failure(c.path, protocol.ErrNoPermission)
	}
	var in simweb.Wanted
	if errcode := protocol.Decode(c.body, &in); errcode != 0 {
		return failure(c.path, errcode)
	}
	return s.web.ProgramCode(c.path, app, in)
}

// inJSON returns a picture as JSON, the form of a response that is encrypted. WeChat's pages do
// not say what that looks like; here it is the one member that the page of the call names.
func inJSON(r protocol.Response) protocol.Response {
	if strings.HasPrefix(r.ContentType, "image/") {
		r.Body, r.ContentType = protocol.JSON(map[string][]byte{"buffer": r.Body}), protocol.ContentType
	}
	return r
}

// MintWebCode logs a user in to an official account or a website and returns the code, without
// the page. The default app is the first official account. The errors are [ErrUnknownApp] and
// [simweb.ErrBadLogin].
func (s *Sim) MintWebCode(u User, l simweb.Login) (Code, error) {
	u.App = s.webApp(u.App)
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	var who simweb.Person
	if u.OpenID == "" {
		who = accounts{s}.Named(key.app, cmp.Or(u.Name, defaultName))
	} else {
		who = accounts{s}.Person(key.app, key.openid)
	}
	made, err := s.web.Mint(key.app, who, l)
	return Code{Code: made.Code, App: key.app, OpenID: made.OpenID, ExpiresAt: made.Expires}, err
}

// webApp returns an appid, or that of the first official account if it is empty.
func (s *Sim) webApp(id string) string {
	at := slices.IndexFunc(s.apps, func(a App) bool { return a.Kind == Official })
	if id == "" && at >= 0 {
		return s.apps[at].ID
	}
	return id
}

// SetUserInfoOnly makes /sns/oauth2/access_token return no unionid for an app, as for older
// accounts, so that only /sns/userinfo returns it; or again both. The default app and the errors are
// those of MintWebCode.
func (s *Sim) SetUserInfoOnly(app string, only bool) error {
	key, err := s.resolve(User{App: s.webApp(app)})
	if err != nil {
		return err
	}
	return s.web.SetUserInfoOnly(key.app, only)
}

// ProgramCodes returns the latest codes that getwxacodeunlimit made, oldest first.
func (s *Sim) ProgramCodes() []simweb.ProgramCode { return s.web.ProgramCodes() }

// accounts are the apps and users of a simulator, for the web logins.
type accounts struct{ sim *Sim }

// Now implements [simweb.Accounts].
func (a accounts) Now() time.Time { return a.sim.Now() }

// App implements [simweb.Accounts].
func (a accounts) App(id string) (simweb.App, bool) {
	app, ok := a.sim.appOn(WeChat, id)
	return simweb.App{ID: app.ID, Secret: app.Secret, Kind: app.Kind, Callbacks: app.Callbacks}, ok
}

// Names implements [simweb.Accounts]: the users of all apps on WeChat, with the default ones
// unless some were added.
func (a accounts) Names() []string {
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	names := make(map[string]bool)
	if len(a.sim.names) == 0 {
		names = map[string]bool{defaultName: true, "bob": true, "carol": true}
	}
	for key, rec := range a.sim.users {
		if _, ok := a.sim.appOn(WeChat, key.app); ok && rec.name != "" {
			names[rec.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Named implements [simweb.Accounts].
func (a accounts) Named(app, name string) simweb.Person {
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	rec := a.sim.userOf(userKey{app, a.sim.openIDNamed(app, name)})
	rec.name = name
	return a.sim.person(rec)
}

// Person implements [simweb.Accounts].
func (a accounts) Person(app, openid string) simweb.Person {
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	return a.sim.person(a.sim.userOf(userKey{app, openid}))
}

// person returns a user of a web login. A user who was not added has the unionid and the
// nickname of the user with the same name in the first app on WeChat that knows them. It is
// called with s.mu held.
func (s *Sim) person(rec *user) simweb.Person {
	if _, added := s.names[userKey{rec.app, rec.name}]; !added && rec.name != "" {
		for _, app := range s.apps {
			other := s.users[userKey{app.ID, s.openIDNamed(app.ID, rec.name)}]
			if other != nil && app.Platform == WeChat {
				rec.unionid, rec.nickname = cmp.Or(rec.unionid, other.unionid), cmp.Or(rec.nickname, other.nickname)
			}
		}
	}
	return simweb.Person{Name: rec.name, OpenID: rec.openid, UnionID: rec.unionid, NickName: cmp.Or(rec.nickname, rec.name, "微信用户")}
}
