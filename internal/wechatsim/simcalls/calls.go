// Package simcalls has calls with an access token that SDKs make beside logins and phone numbers.
// They change nothing that another call returns.
package simcalls

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// A User is a user of an app.
type User struct {
	UnionID string
	Visited time.Time // the last login
}

// A Request is a call of an app whose access token was checked.
type Request struct {
	Path  string
	App   string
	Query url.Values
	Body  []byte
	Now   time.Time

	User   func(openid string) (User, bool)
	Signed func() (openid string, errcode int) // checks the signature by the session_key
}

// A Call is one call of the API.
type Call struct {
	Method string
	do     func(*State, Request) (any, int) // the members of the response, or an errcode
}

// calls are all calls, by path.
var calls = map[string]Call{
	"/cgi-bin/get_api_domain_ip":      {http.MethodGet, (*State).apiAddresses},
	"/cgi-bin/ticket/getticket":       {http.MethodGet, (*State).ticket},
	"/cgi-bin/clear_quota":            {http.MethodPost, (*State).clearQuota},
	"/cgi-bin/message/subscribe/send": {http.MethodPost, (*State).sendSubscribed},
	"/wxa/msg_sec_check":              {http.MethodPost, (*State).checkText},
	"/wxa/getpaidunionid":             {http.MethodGet, (*State).paidUnionID},
	"/wxa/business/getuserencryptkey": {http.MethodGet, (*State).encryptKeys},
}

// Calls returns all calls, by path.
func Calls() map[string]Call { return calls }

// State is what the calls remember. Its methods are safe for concurrent use.
type State struct {
	mu      sync.Mutex
	tickets map[[2]string]*ticket   // by app and type
	cleared map[[2]string]int       // by app and month: how often clear_quota succeeded
	keys    map[[2]string][]userKey // by app and openid, oldest first
}

// New returns an empty state.
func New() *State {
	return &State{tickets: make(map[[2]string]*ticket), cleared: make(map[[2]string]int), keys: make(map[[2]string][]userKey)}
}

// Do makes the call of a path that Calls has.
func (s *State) Do(r Request) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, errcode := calls[r.Path].do(s, r)
	if errcode != 0 {
		return protocol.WeChat.Refuse(r.Path, errcode)
	}
	return protocol.Success(out)
}

// okay are the members of every response here that has errcode 0.
type okay struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func ok() okay { return okay{ErrMsg: "ok"} }

// apiAddresses is GET /cgi-bin/get_api_domain_ip (获取微信API服务器IP), with the sample of the page.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/openApi-mgnt/getApiDomainIp.html
func (s *State) apiAddresses(Request) (any, int) {
	return struct {
		List []string `json:"ip_list"`
	}{[]string{"101.89.47.18", "101.91.34.103"}}, 0
}

// ticketLifetime is how long a ticket of the JS-SDK is valid: 7200 seconds.
const ticketLifetime = 7200 * time.Second

// A ticket signs the configuration of the JS-SDK.
type ticket struct {
	value   string
	expires time.Time
}

// ticket is GET /cgi-bin/ticket/getticket (获取sdk临时票据). It returns the same ticket until that
// expires. The page names no errcode for a wrong type.
// https://developers.weixin.qq.com/doc/service/api/webdev/jssdk/api_getticket
func (s *State) ticket(r Request) (any, int) {
	kind := r.Query.Get("type")
	if kind != "jsapi" && kind != "wx_card" {
		return nil, protocol.ErrArgument
	}
	key := [2]string{r.App, kind}
	if t := s.tickets[key]; t == nil || !r.Now.Before(t.expires) {
		s.tickets[key] = &ticket{value: rand.Text() + "-" + rand.Text() + "-" + rand.Text() + "-" + rand.Text(), expires: r.Now.Add(ticketLifetime)}
	}
	t := s.tickets[key]
	return struct {
		okay
		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}{ok(), t.value, int(t.expires.Sub(r.Now) / time.Second)}, 0
}

// clearsPerMonth is how often an app may clear its quotas.
const clearsPerMonth = 10

// clearQuota is POST /cgi-bin/clear_quota (重置API调用次数). The simulator counts no quotas: a fault
// uses one up.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/openApi-mgnt/clearQuota.html
func (s *State) clearQuota(r Request) (any, int) {
	var in struct {
		AppID string `json:"appid"`
	}
	if errcode := protocol.Decode(r.Body, &in); errcode != 0 {
		return nil, errcode
	}
	if in.AppID != r.App {
		return nil, protocol.ErrAppID
	}
	month := [2]string{r.App, r.Now.In(protocol.Beijing).Format("2006-01")}
	if s.cleared[month] >= clearsPerMonth {
		return nil, protocol.ErrClearLimit
	}
	s.cleared[month]++
	return ok(), 0
}
