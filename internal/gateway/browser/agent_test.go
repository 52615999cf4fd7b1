package browser

import (
	"net/http"
	"strings"
	"testing"
)

// TestAgent checks the User-Agents of browsers, including WeChat.
func TestAgent(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36":                                                                                                                                                            "Chrome on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                                                                                                                                                      "Safari on macOS",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                                                                                                                                                     "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0":                                                                                                                                              "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36 EdgA/137.0.0.0":                                                                                                                                             "Edge on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36 OPR/121.0.0.0":                                                                                                                                              "Opera on Windows",
		"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36 QQBrowser/13.8.6372.400":                                                                                                                                         "QQ Browser on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0.7151.79 Mobile/15E148 Safari/604.1":                                                                                                                             "Chrome on iOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/139.0 Mobile/15E148 Safari/605.1.15":                                                                                                                                  "Firefox on iOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c32) NetType/WIFI Language/zh_CN":                                                                                                "WeChat on iOS",
		"Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.103 Mobile Safari/537.36 XWEB/1300333 MMWEBSDK/20241202 MicroMessenger/8.0.56.2800(0x28003851) WeChat/arm64 miniProgram/wx0000000000000001": "WeChat on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI WindowsWechat(0x63090c33)XWEB/13639":                                                                    "WeChat on Windows",
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile":                                                                                                                                           "Chrome on HarmonyOS",
		"Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36":                                                                                                            "Huawei Browser on Android",
		"curl/8.5.0":                 "Unknown browser",
		"":                           "Unknown browser",
		"Your bank, Shenzhen\r\n<b>": "Unknown browser",
		strings.Repeat("x", maxAgentBytes-3) + "Chrome": "Unknown browser",
	} {
		header := http.Header{"User-Agent": {agent}}
		if got := agentOf(header); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
		if got := insideWeChat(header); got != strings.HasPrefix(want, "WeChat") {
			t.Errorf("%q: inside WeChat: %t", agent, got)
		}
	}
	if got := agentOf(nil); got != "Unknown browser" {
		t.Errorf("without a header: %q", got)
	}
}

func TestMaskAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.77": "203.0.113.*", "203.0.113.0": "203.0.113.*", "203.0.10.100": "203.0.10.*", "10.0.0.1": "10.0.0.*", "255.255.255.255": "255.255.255.*",
		"::ffff:203.0.113.77": "203.0.113.*", "2001:db8:1:2:3:4:5:6": "2001:db8:1::*", "2001:db8::1": "2001:db8::*", "fe80::1%eth0": "fe80::*", "::1": "::*",
		"": "", "unknown": "", "203.0.113.77:80": "", "203.0.113": "", "203.0.113.77, 10.0.0.1": "", "<b>": "",
	} {
		if got := maskAddress(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestMaskPhone(t *testing.T) {
	t.Parallel()
	for phone, want := range map[string]string{
		"+8613900008001": "139****8001", "+15550100123": "+15****0123", "+85200001234": "+85****1234", "": "", "+86": "", "+861390000": "", "+8613900008": "139****0008",
	} {
		if got := maskPhone(phone); got != want {
			t.Errorf("%q: %q, want %q", phone, got, want)
		}
	}
}
