package edge

import (
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// deviceMarks are parts of a User-Agent, in lower case, and their device class. The first match
// counts: WeChat's developer tools pretend to be a phone, WeChat on a computer contains the
// system twice, and Android contains Linux.
var deviceMarks = []struct {
	mark   string
	device auth.Device
}{
	{"wechatdevtools", auth.DeviceDevTools},
	{"openharmony", auth.DeviceHarmony},
	{"iphone", auth.DeviceIOS},
	{"ipad", auth.DeviceIOS},
	{"ipod", auth.DeviceIOS},
	{"android", auth.DeviceAndroid},
	{"windows", auth.DeviceWindows},
	{"macintosh", auth.DeviceMac},
	{"mac os x", auth.DeviceMac},
	{"linux", auth.DeviceLinux},
}

// maxUserAgent is how much of a User-Agent is searched, in bytes: WeChat's have under 400.
const maxUserAgent = 1024

// DeviceOf returns the class of the device that a login comes from, by its User-Agent.
func DeviceOf(h http.Header) auth.Device {
	agent := h.Get("User-Agent")
	agent = strings.ToLower(agent[:min(len(agent), maxUserAgent)])
	for _, m := range deviceMarks {
		if strings.Contains(agent, m.mark) {
			return m.device
		}
	}
	return auth.DeviceOther
}
