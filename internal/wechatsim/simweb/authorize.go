package simweb

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// maxState is the longest state, in bytes.
	maxState = 128

	// maxName is the longest name of a user, in bytes.
	maxName = 64
)

// ordered are the parameters of a login inside WeChat, in the order that its documentation
// requires of the link.
var ordered = []string{"appid", "redirect_uri", "response_type", "scope", "state"}

// A mistake is the reason why a page does not log in. The codes are those of WeChat's page on web logins;
// it has none for some mistakes.
type mistake struct {
	code             int
	chinese, english string
}

// The mistakes.
var (
	refusedPeer     = mistake{0, "登录页面只对本机开放", "The login pages are for this machine only: a client of them can log in as any user"}
	refusedOrder    = mistake{0, "链接参数的顺序不对", "The parameters must be appid, redirect_uri, response_type, scope and state, in this order"}
	refusedType     = mistake{0, "response_type 参数错误", "response_type must be code"}
	refusedState    = mistake{0, "state 参数过长，最多 128 字节", "state is longer than 128 bytes"}
	refusedName     = mistake{0, "user 参数过长", "user is longer than 64 bytes"}
	refusedAppID    = mistake{code: protocol.ErrAppID, chinese: "AppID 参数错误", english: "The simulator knows no app of this appid on WeChat"}
	refusedCallback = mistake{10003, "redirect_uri 域名与后台配置不一致", "redirect_uri is not an http or https URL, or its host is not one of the app's callback domains"}
	refusedScope    = mistake{10005, "该应用没有这些 scope 的权限", "The app has no permission for this scope"}
	noScope         = mistake{10010, "scope 不能为空", "scope is required"}
	noCallback      = mistake{10011, "redirect_uri 不能为空", "redirect_uri is required"}
	noAppID         = mistake{10012, "appid 不能为空", "appid is required"}
	refusedKind     = mistake{10016, "不支持该类 AppID", "This page is not for apps of this kind"}
)

// Official is the page of logins inside WeChat.
//
// WeChat shows it for snsapi_userinfo, and for snsapi_base returns at once as the user of the
// phone. Here no phone says who the user is, so that both show it, unless the query has a user
// or snapshot=1.
func (w *Web) Official(r Request) protocol.Response {
	if !inOrder(r.Raw) {
		return refusePage(refusedOrder)
	}
	return w.authorize(r, Official)
}

// Website is the page with the code that a phone scans.
func (w *Web) Website(r Request) protocol.Response { return w.authorize(r, Website) }

// authorize serves the page, or returns to the app with a code.
func (w *Web) authorize(r Request, kind Kind) protocol.Response {
	// Any client of these pages logs in as any user, as a client of the management side does:
	// other machines must not reach them, even if they reach the API.
	if !r.Local {
		return refusePage(refusedPeer)
	}
	app, back, why := w.check(r.Query, kind)
	if why != nil {
		return refusePage(*why)
	}
	name := r.Query.Get("user")
	login := Login{Scope: r.Query.Get("scope"), Snapshot: kind == Official && r.Query.Get("snapshot") == "1"}
	if name == "" && !login.Snapshot {
		return w.choice(app, r.Raw)
	}
	var who Person
	if !login.Snapshot {
		who = w.accounts.Named(app.ID, name)
	}
	made := w.mint(app, who, login)
	return protocol.Response{
		Status: http.StatusFound, ContentType: "text/html; charset=utf-8", Class: protocol.OK,
		Location: returnTo(back, made.Code, r.Query.Get("state")),
		Header:   http.Header{"Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"}},
	}
}

// check checks the parameters of a login. WeChat does not document the order of its checks, nor
// what it does with a longer state.
func (w *Web) check(q url.Values, kind Kind) (App, *url.URL, *mistake) {
	app, known := w.accounts.App(q.Get("appid"))
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("appid") == "":
		return app, nil, &noAppID
	case !known:
		return app, nil, &refusedAppID
	case app.Kind != kind:
		return app, nil, &refusedKind
	case q.Get("redirect_uri") == "":
		return app, nil, &noCallback
	case err != nil || !app.returnsTo(back):
		return app, nil, &refusedCallback
	case q.Get("response_type") != "code":
		return app, nil, &refusedType
	case q.Get("scope") == "":
		return app, nil, &noScope
	case !slices.Contains(scopes[kind], q.Get("scope")):
		return app, nil, &refusedScope
	case len(q.Get("state")) > maxState:
		return app, nil, &refusedState
	case len(q.Get("user")) > maxName:
		return app, nil, &refusedName
	}
	return app, back, nil
}

// returnsTo reports whether a login may return to a URL. As at WeChat, a callback domain is a
// whole host name and says nothing about ports and paths.
func (a App) returnsTo(back *url.URL) bool {
	host := back.Hostname()
	if back.Scheme != "http" && back.Scheme != "https" || host == "" || back.User != nil {
		return false
	}
	if len(a.Callbacks) > 0 {
		return slices.Contains(a.Callbacks, host)
	}
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// inOrder reports whether the parameters of a link are in the order of WeChat's documentation.
func inOrder(raw string) bool {
	last := -1
	for pair := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(pair, "=")
		at := slices.Index(ordered, name)
		if at < 0 {
			continue
		}
		if at <= last {
			return false
		}
		last = at
	}
	return true
}

// returnTo adds a code and a state to the query of a callback.
func returnTo(back *url.URL, code, state string) string {
	added := "code=" + url.QueryEscape(code) + "&state=" + url.QueryEscape(state)
	if back.RawQuery != "" {
		added = back.RawQuery + "&" + added
	}
	to := *back
	to.RawQuery = added
	return to.String()
}

// As returns the URL of a login page with the user who is picked there, as the page's links
// have it. The fragment stays at the end.
func As(page, user string) string {
	before, fragment, found := strings.Cut(page, "#")
	before += "&user=" + url.QueryEscape(user)
	if found {
		before += "#" + fragment
	}
	return before
}
