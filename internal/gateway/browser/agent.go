package browser

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

// browserMarks are parts of a User-Agent, and the browser. The first that appears counts:
// most browsers name Chrome and Safari too.
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

// deviceNames are how users call their systems.
var deviceNames = map[auth.Device]string{
	auth.DeviceIOS: "iOS", auth.DeviceAndroid: "Android", auth.DeviceHarmony: "HarmonyOS",
	auth.DeviceWindows: "Windows", auth.DeviceMac: "macOS", auth.DeviceLinux: "Linux",
}

// maxAgentBytes is how much of a User-Agent is looked at.
const maxAgentBytes = 1024

// agentOf names the browser of a request for a user, such as "Chrome on Windows". The text is
// made of known names only: a User-Agent can contain anything.
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

// insideWeChat reports whether a page is shown by WeChat.
func insideWeChat(header http.Header) bool {
	return strings.Contains(header.Get("User-Agent"), "MicroMessenger")
}

// The parts of an address that its owner recognizes.
const (
	ipv4Shown = 24
	ipv6Shown = 48
)

// maskAddress returns an address that its owner recognizes and that names no home: 203.0.113.*.
func maskAddress(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		prefix, _ := addr.Prefix(ipv4Shown) // fits the address
		return strings.TrimSuffix(prefix.Addr().String(), "0") + "*"
	}
	prefix, _ := addr.Prefix(ipv6Shown) // fits the address
	return prefix.Addr().String() + "*"
}

// maskPhone returns a number that its owner recognizes: 139****8001.
func maskPhone(phone string) string {
	phone = strings.TrimPrefix(phone, "+86")
	const shown = 4
	if len(phone) < 2*shown {
		return ""
	}
	return phone[:3] + "****" + phone[len(phone)-shown:]
}
