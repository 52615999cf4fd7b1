package wechatsim

import (
	"maps"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// A Platform is WeChat or one of its siblings. Each is at the API port under
// a prefix that replaces its host; WeChat has none.
type Platform string

// The platforms.
const (
	WeChat      Platform = "wechat"      // api.weixin.qq.com
	QQ          Platform = "qq"          // api.q.qq.com
	Douyin      Platform = "douyin"      // developer.toutiao.com
	Kuaishou    Platform = "kuaishou"    // open.kuaishou.com
	Xiaohongshu Platform = "xiaohongshu" // miniapp.xiaohongshu.com
	WeCom       Platform = "wecom"       // qyapi.weixin.qq.com
)

// Platforms returns all platforms, sorted.
func Platforms() []Platform { return slices.Sorted(maps.Keys(hosts)) }

// Prefix is where the platform's API begins on the API port.
func (p Platform) Prefix() string {
	if p == WeChat || p == "" {
		return ""
	}
	return "/" + string(p)
}

// Siblings are the mini programs, one on each other platform, that a simulator
// has beside DefaultApp if its Config names none. No such apps exist.
func Siblings() []App {
	const secret = "00000000000000000000000000000002"
	return []App{
		{ID: "1100000001", Secret: secret, Platform: QQ},
		{ID: "tt0000000000000001", Secret: secret, Platform: Douyin},
		{ID: "ks000000000000000001", Secret: secret, Platform: Kuaishou},
		{ID: "000000000000000000000001", Secret: secret, Platform: Xiaohongshu},
		{ID: "ww0000000000000001", Secret: secret, Platform: WeCom, MiniProgram: "wx0000000000000002"},
	}
}

var hosts = map[Platform]*protocol.Host{
	WeChat:      protocol.WeChat,
	QQ:          protocol.QQ,
	Douyin:      protocol.Douyin,
	Kuaishou:    protocol.Kuaishou,
	Xiaohongshu: protocol.Xiaohongshu,
	WeCom:       protocol.WeCom,
}

// failure is the response with which the platform of a path refuses a request.
func failure(path string, errcode int) protocol.Response {
	return hosts[platformOf(path)].Refuse(path, errcode)
}

// platformOf returns the platform of a path.
func platformOf(path string) Platform {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if p := Platform(first); p != WeChat && hosts[p] != nil {
		return p
	}
	return WeChat
}

// appOn finds a mini program that is registered with a platform.
func (s *Sim) appOn(p Platform, id string) (App, bool) {
	a, ok := s.app(id)
	return a, ok && a.Platform == p
}

// isMiniProgram reports whether an app is a mini program that is registered with WeChat.
func (s *Sim) isMiniProgram(id string) bool {
	a, ok := s.appOn(WeChat, id)
	return ok && a.Kind == MiniProgram
}

// refusals are a platform's codes for what is wrong with a login code.
type refusals struct {
	missing, invalid, used int
}

// spend finds whose login code it is, or says with which code the platform
// refuses it. A code that was found is used up. Hold s.mu.
func (s *Sim) spend(appid, value string, no refusals) (*user, int) {
	ticket, errcode := s.redeem(appid, value, no)
	if errcode != 0 {
		return nil, errcode
	}
	return s.begin(ticket), 0
}

// redeem uses a login code up, or says with which code the platform refuses it.
// Hold s.mu.
func (s *Sim) redeem(appid, value string, no refusals) (*code, int) {
	ticket, errcode := s.usable(value, loginCode)
	switch {
	case errcode == protocol.ErrCodeMissing:
		return nil, no.missing
	case errcode == protocol.ErrCodeUsed:
		return nil, no.used
	case errcode != 0 || ticket.user.app != appid:
		return nil, no.invalid
	}
	ticket.used = true
	return ticket, 0
}

// begin gives the user of a login code the session_key of the login. Hold s.mu.
func (s *Sim) begin(ticket *code) *user {
	who := s.userOf(ticket.user)
	who.visited = s.Now()
	who.sessionKey = ticket.sessionKey
	if who.sessionKey == "" {
		who.sessionKey = s.newSessionKey(who.app)
	}
	return who
}

// renewToken makes an app a new token and leaves the one before five minutes.
// Hold s.mu.
func (s *Sim) renewToken(appid string) *accessToken {
	if old := s.plain[appid]; old != nil {
		old.revoked = s.Now().Add(tokenOverlap)
	}
	s.plain[appid] = s.newToken(appid)
	return s.plain[appid]
}
