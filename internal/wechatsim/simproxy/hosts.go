package simproxy

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/serving"
)

// platforms are the platforms that the hosts of WeChat and its siblings belong to. WeChat has
// several hosts for its API, for distant places and for when one is down:
// https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Interface_field_description.html
var platforms = map[string]wechatsim.Platform{
	"api.weixin.qq.com":       wechatsim.WeChat,
	"api2.weixin.qq.com":      wechatsim.WeChat,
	"sh.api.weixin.qq.com":    wechatsim.WeChat,
	"sz.api.weixin.qq.com":    wechatsim.WeChat,
	"hk.api.weixin.qq.com":    wechatsim.WeChat,
	"open.weixin.qq.com":      wechatsim.WeChat, // the pages of web logins
	"api.q.qq.com":            wechatsim.QQ,
	"developer.toutiao.com":   wechatsim.Douyin,
	"open-sandbox.douyin.com": wechatsim.Douyin,
	"open.kuaishou.com":       wechatsim.Kuaishou,
	"miniapp.xiaohongshu.com": wechatsim.Xiaohongshu,
	"qyapi.weixin.qq.com":     wechatsim.WeCom,
}

// Hosts returns the hosts that are simulated, sorted.
func Hosts() []string { return slices.Sorted(maps.Keys(platforms)) }

// platformAt returns the platform of a host with or without a port.
func platformAt(hostport string) (wechatsim.Platform, bool) {
	p, ok := platforms[strings.ToLower(hostOf(hostport))]
	return p, ok
}

// hostOf returns a host without its port, if it has one.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// isThisMachine reports whether a host is a loopback address or localhost.
func isThisMachine(hostport string) bool {
	return serving.IsLoopback(strings.Trim(hostOf(hostport), "[]"))
}

// tunneled reports whether a CONNECT to a host and port is one to a simulated API.
func tunneled(hostport string) bool {
	_, port, err := net.SplitHostPort(hostport)
	_, known := platformAt(hostport)
	return err == nil && known && (port == "443" || port == "80")
}

// below returns the request as the API's port has it: with the prefix of its
// platform instead of its host.
func below(p wechatsim.Platform, r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Path = p.Prefix() + r.URL.Path
	if r.URL.RawPath != "" {
		out.URL.RawPath = p.Prefix() + r.URL.RawPath
	}
	return out
}
