package edge

import (
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// The environments that WeChat's Referer distinguishes.
const (
	EnvRelease  = "release"  // a released version
	EnvTrial    = "trial"    // a development, trial or review version
	EnvDevTools = "devtools" // WeChat's developer tools
)

// maxVersionDigits is the length of the longest release number that is read. WeChat counts
// releases from 1, so nine digits are never reached; the limit bounds what a client can
// write into the headers of the upstream.
const maxVersionDigits = 9

// AppVersion is the version of a mini program, read from the Referer of a request. The client
// writes the Referer, so this is for routing and statistics, never for security.
type AppVersion struct {
	Version string // the release number, in decimal; "" unless Env is EnvRelease
	Env     string // EnvRelease, EnvTrial or EnvDevTools; "" if unknown
}

// AppVersionOf reads the Referer of a request of an app. WeChat sends
// https://servicewechat.com/{appid}/{version}/page-frame.html, where the version is a
// release number, 0 or devtools. The result is empty for any other Referer, such as that of
// another app, and for two Referers.
func AppVersionOf(header http.Header, app auth.AppID) AppVersion {
	values := header["Referer"]
	if len(values) != 1 {
		return AppVersion{}
	}
	version, ok := strings.CutPrefix(values[0], "https://servicewechat.com/")
	if ok {
		version, ok = strings.CutPrefix(version, string(app))
	}
	if ok {
		version, ok = strings.CutPrefix(version, "/")
	}
	if ok {
		version, ok = strings.CutSuffix(version, "/page-frame.html")
	}
	switch {
	case !ok:
		return AppVersion{}
	case version == "0":
		return AppVersion{Env: EnvTrial}
	case version == "devtools":
		return AppVersion{Env: EnvDevTools}
	case isReleaseNumber(version):
		return AppVersion{Version: version, Env: EnvRelease}
	}
	return AppVersion{}
}

// isReleaseNumber reports whether a version is a positive number without leading zeros. A
// client could otherwise write any text into a header that the upstream treats as a number.
func isReleaseNumber(version string) bool {
	if version == "" || len(version) > maxVersionDigits || version[0] == '0' {
		return false
	}
	for i := range len(version) {
		if version[i] < '0' || version[i] > '9' {
			return false
		}
	}
	return true
}

// setAppVersion writes the version and the environment of a request of an app into the headers
// for the upstream, if they have names. Unknown values are not written.
func (h *Headers) setAppVersion(header http.Header, r *http.Request, app auth.AppID) {
	if h.names.AppVersion == "" && h.names.AppEnv == "" {
		return
	}
	v := AppVersionOf(r.Header, app)
	if h.names.AppVersion != "" && v.Version != "" {
		header[h.names.AppVersion] = []string{v.Version}
	}
	if h.names.AppEnv != "" && v.Env != "" {
		header[h.names.AppEnv] = []string{v.Env}
	}
}
