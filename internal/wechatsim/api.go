package wechatsim

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/requestlog"
	"github.com/wxgate/wxgate/internal/wechatsim/simcalls"
)

// maxBody is the largest request body read, 1 MiB: more than any call here
// needs, so that a mistake in a client cannot fill a test machine's memory.
const maxBody = 1 << 20

// A call is one API request, read whole.
type call struct {
	method string
	path   string
	query  url.Values
	body   []byte

	address string // scheme, host and path, as signatures have it
	raw     string // the query as it was sent
	peer    string // the client's address
	header  http.Header
}

// A route is one API call: its method, the errcode for any other, and its code.
type route struct {
	method  string
	wrong   int
	respond func(*Sim, call) protocol.Response
}

// routes are the paths that are known, of all platforms.
var routes = allRoutes(weixinRoutes, webRoutes, tokenRoutes(), qqRoutes, douyinRoutes, kuaishouRoutes, xiaohongshuRoutes, wecomRoutes)

func allRoutes(parts ...map[string]route) map[string]route {
	all := make(map[string]route)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// weixinRoutes is WeChat's API.
var weixinRoutes = map[string]route{
	"/sns/jscode2session":              {http.MethodGet, protocol.ErrRequireGet, (*Sim).codeToSession},
	"/sns/component/jscode2session":    {http.MethodGet, protocol.ErrRequireGet, (*Sim).componentCodeToSession},
	"/cgi-bin/token":                   {http.MethodGet, protocol.ErrRequireGet, (*Sim).token},
	"/cgi-bin/stable_token":            {http.MethodPost, protocol.ErrRequirePost, (*Sim).stableToken},
	"/wxa/business/getuserphonenumber": {http.MethodPost, protocol.ErrRequirePost, (*Sim).userPhoneNumber},
	"/wxa/business/checkencryptedmsg":  {http.MethodPost, protocol.ErrRequirePost, (*Sim).checkEncryptedMessage},
	"/wxa/getuserriskrank":             {http.MethodPost, protocol.ErrRequirePost, (*Sim).userRiskRank},
	"/wxa/checksession":                {http.MethodGet, protocol.ErrRequireGet, (*Sim).checkSession},
	"/cgi-bin/getcallbackip":           {http.MethodGet, protocol.ErrRequireGet, (*Sim).callbackAddresses},
	"/wxa/getpluginopenpid":            {http.MethodPost, protocol.ErrRequirePost, (*Sim).pluginOpenPID},
	"/wxa/resetusersessionkey":         {http.MethodGet, protocol.ErrRequireGet, (*Sim).resetSessionKey},
}

// Paths returns the paths of the API that are known, of all platforms, sorted.
func Paths() []string { return slices.Sorted(maps.Keys(routes)) }

// API returns the API of WeChat, as api.weixin.qq.com serves it.
func (s *Sim) API() http.Handler {
	return http.HandlerFunc(s.serveAPI)
}

// serveAPI reads a whole request, logs it, and responds, or serves the fault that is
// armed for its path.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request body unreadable or too large", http.StatusRequestEntityTooLarge)
		return
	}
	c := call{method: r.Method, path: r.URL.Path, query: r.URL.Query(), body: body, address: addressOf(r), raw: r.URL.RawQuery, peer: r.RemoteAddr, header: r.Header}
	striking, struck := s.faults.Take(c.path)
	note := s.seen.Add(requestlog.Request{
		Method: c.method, Path: c.path, Query: c.query, Body: string(c.body), Time: s.Now(), Fault: striking.Kind,
	})
	var right protocol.Response
	if !struck || striking.WorksFirst() {
		right = s.respondSecured(c, striking.Spoil())
		s.seen.Responded(note, right)
	}
	if struck {
		s.faults.Serve(w, r, striking, hosts[platformOf(c.path)], right)
		return
	}
	right.Write(w)
}

// respond carries out a call and returns the right response.
//
// A path that is not in routes is an invalid URL, 40066: https://github.com/wechatpy/wechatpy/issues/289.
// What WeChat's siblings respond to one is not documented; here it is 404 without JSON.
func (s *Sim) respond(c call) protocol.Response {
	found, ok := routes[c.path]
	if !ok {
		return hosts[platformOf(c.path)].Unknown(c.path)
	}
	if c.method != found.method {
		return failure(c.path, found.wrong)
	}
	return found.respond(s, c)
}

// tokenRoutes are the calls of package simcalls.
func tokenRoutes() map[string]route {
	out := make(map[string]route)
	for path, known := range simcalls.Calls() {
		out[path] = route{known.Method, map[string]int{http.MethodGet: protocol.ErrRequireGet, http.MethodPost: protocol.ErrRequirePost}[known.Method], (*Sim).tokenCall}
	}
	return out
}

// tokenCall makes a call of package simcalls.
func (s *Sim) tokenCall(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	return s.calls.Do(simcalls.Request{
		Path: c.path, App: app, Query: c.query, Body: c.body, Now: s.Now(),
		User: func(openid string) (simcalls.User, bool) {
			who, ok := s.users[userKey{app, openid}]
			if !ok {
				return simcalls.User{}, false
			}
			return simcalls.User{UnionID: who.unionid, Visited: who.visited}, true
		},
		Signed: func() (string, int) {
			_, errcode := s.signedUser(c)
			return c.query.Get("openid"), errcode
		},
	})
}
