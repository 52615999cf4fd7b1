package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestDeviceOf tests the User-Agents of WeChat's clients.
func TestDeviceOf(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]auth.Device{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c32) NetType/WIFI Language/zh_CN":                                                                                                   auth.DeviceIOS,
		"Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49(0x1800312c) NetType/WIFI Language/zh_CN":                                                                                                            auth.DeviceIOS,
		"Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.103 Mobile Safari/537.36 XWEB/1300333 MMWEBSDK/20241202 MicroMessenger/8.0.56.2800(0x28003851) WeChat/arm64 MiniProgramEnv/android": auth.DeviceAndroid,
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile MicroMessenger/1.0.9":                                                                                                                         auth.DeviceHarmony,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090c33)XWEB/13639":                             auth.DeviceWindows,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/6.8.0(0x16080000) NetType/WIFI MiniProgramEnv/Mac MacWechat/WMPF MacWechat/3.8.10(0x13080a10) XWEB/1227":                                  auth.DeviceMac,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Safari/537.36 MiniProgramEnv/Linux":                                                                                                                                                    auth.DeviceLinux,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) AppleWebKit/605.1.15 wechatdevtools/1.06.2412050 MicroMessenger/8.0.5 webview/":                                                                                                                                         auth.DeviceDevTools,
		"curl/8.5.0": auth.DeviceOther,
		"":           auth.DeviceOther,
		strings.Repeat("x", maxUserAgent) + "iPhone": auth.DeviceOther,
	} {
		h := http.Header{}
		h.Set("User-Agent", agent)
		if got := DeviceOf(h); got != want {
			t.Errorf("%q: %v, want %v", agent, got, want)
		}
	}
	if got := DeviceOf(nil); got != auth.DeviceOther {
		t.Errorf("without a header: %v", got)
	}
}
