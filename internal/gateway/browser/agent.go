package browser

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

// browserMarks are parts of a User-Agent, and the browser that sends them. The first match
// counts, since most User-Agents also contain Chrome and Safari.
var browserMarks = []struct{ mark, name string }{
	{"MicroMessenger", "WeChat"},
	{"Edg", "Edge"},
	{"OPR/", "Opera"},
	{"QQBrowser", "QQ Browser"},
	{"UCBrowser", "UC Browser"},
	{"HuaweiBrowser", "Huawei Browser"},
	{"MiuiBrowser", "Mi Browser"},
	{"SamsungBrowser", "Samsung Internet"},
	{"Firefox", "Firefox"},
	{"FxiOS", "Firefox"},
	{"Chrome", "Chrome"},
	{"CriOS", "Chrome"},
	{"Safari", "Safari"},
}

// deviceNames are the names of systems that users know.
var deviceNames = map[auth.Device]string{
	auth.DeviceIOS: "iOS", auth.DeviceAndroid: "Android", auth.DeviceHarmony: "HarmonyOS",
	auth.DeviceWindows: "Windows", auth.DeviceMac: "macOS", auth.DeviceLinux: "Linux",
}

// maxAgentBytes is how much of a User-Agent is searched.
const maxAgentBytes = 1024

// agentOf returns a description of the browser of a request, such as "Chrome on Windows". It
// consists of known names only: a User-Agent can contain anything.
func agentOf(header http.Header) string {
	agent := header.Get("User-Agent")
	agent = agent[:min(len(agent), maxAgentBytes)]
	name := "Unknown browser"
	for _, m := range browserMarks {
		if strings.Contains(agent, m.mark) {
			name = m.name
			break
		}
	}
	if device, ok := deviceNames[edge.DeviceOf(header)]; ok {
		return name + " on " + device
	}
	return name
}

// insideWeChat reports whether the browser of a request is WeChat.
func insideWeChat(header http.Header) bool {
	return strings.Contains(header.Get("User-Agent"), "MicroMessenger")
}

// The parts of an address that its owner recognizes.
const (
	ipv4Shown = 24
	ipv6Shown = 48
)

// maskAddress returns a part of an address that its owner recognizes, and that does not
// identify a household: 203.0.113.*.
func maskAddress(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		prefix, _ := addr.Prefix(ipv4Shown) // cannot fail: valid for the address
		return strings.TrimSuffix(prefix.Addr().String(), "0") + "*"
	}
	prefix, _ := addr.Prefix(ipv6Shown) // cannot fail: valid for the address
	return prefix.Addr().String() + "*"
}

// maskPhone returns a part of a number that its owner recognizes: 139****8001.
func maskPhone(phone string) string {
	phone = strings.TrimPrefix(phone, "+86")
	const shown = 4
	if len(phone) < 2*shown {
		return ""
	}
	return phone[:3] + "****" + phone[len(phone)-shown:]
}
