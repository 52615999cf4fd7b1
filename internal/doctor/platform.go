package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// maxClockOffset is the maximum difference between the clocks of this machine and the platform.
// With a larger one, watermarks of open data seem too old or in the future, services that verify
// tokens refuse new ones, and WeChat refuses signed calls. The header Date has whole seconds.
const maxClockOffset = 30 * time.Second

// API calls the platform's API without a secret, and compares the clocks. now is the clock of
// this machine.
func API(ctx context.Context, transport http.RoundTripper, url string, now func() time.Time) []Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return []Finding{{CheckAPI, url, Failed, err.Error(), "Fix `api` in the configuration."}}
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return []Finding{
			{CheckAPI, url, Failed, err.Error(), "Check the name server, the firewall and the proxy of this machine, and `api` in the configuration."},
			{Check: CheckClock, About: url, Status: NotChecked, Detail: "the API cannot be reached"},
		}
	}
	_ = response.Body.Close() // a HEAD has no body
	reached := Finding{Check: CheckAPI, About: url, Status: OK, Detail: "it responds"}
	return []Finding{reached, clock(url, response.Header.Get("Date"), now())}
}

func clock(url, date string, now time.Time) Finding {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return Finding{Check: CheckClock, About: url, Status: NotChecked, Detail: "the response has no Date"}
	}
	offset := now.Sub(theirs).Truncate(time.Second)
	if offset.Abs() > maxClockOffset {
		return Finding{CheckClock, url, Failed, fmt.Sprintf("this machine's clock differs by %s", offset),
			"Synchronize the clock, for example with systemd-timesyncd or chrony."}
	}
	return Finding{Check: CheckClock, About: url, Status: OK, Detail: fmt.Sprintf("this machine's clock differs by %s, at most %s is allowed", offset, maxClockOffset)}
}

// credentialAdvice is what to do about an errcode. Source: WeChat documentation,
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getStableAccessToken.html
var credentialAdvice = map[int]string{
	40001: "The AppSecret is wrong. Copy it again from the console, 开发管理 › 开发设置.",
	40013: "The appid is wrong. Copy it again from the console, 开发管理 › 开发设置.",
	40125: "The AppSecret is wrong. Copy it again from the console, 开发管理 › 开发设置, or reset it there.",
	40164: "Add this machine's address, which WeChat's message names, to the IP allow-list in the console, 开发管理 › 开发设置.",
	40243: "The AppSecret is frozen. Unfreeze it in the console.",
	50004: "The account is barred. See the notices in the console.",
	50007: "The account is frozen. See the notices in the console.",
	61003: "The owner of the mini program has not authorized the third-party platform, or no longer does.",
	89503: "An administrator must confirm this machine's address: WeChat has sent a message.",
	89506: "An administrator refused this machine's address. Ask again in a day.",
	89507: "An administrator refused this machine's address. Ask again in an hour.",
}

// WebsiteCredentials reports that the secret of a website cannot be checked: its only call is
// the login of a user, which needs a code.
func WebsiteCredentials(app string) Finding {
	return Finding{Check: CheckCredentials, About: app, Status: NotChecked, Detail: "WeChat checks the AppSecret of a website only when a user logs in"}
}

// Credentials has the platform check an app's appid, AppSecret and, at WeChat, the IP
// allow-list. call fetches an access token without invalidating the current one.
func Credentials(ctx context.Context, app string, call func(context.Context) error) Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := call(ctx)
	if err == nil {
		return Finding{Check: CheckCredentials, About: app, Status: OK, Detail: "the platform accepts the appid and the secret from this address"}
	}
	advice := "Check that the API can be reached, and see docs/wechat.md."
	if reported, ok := errors.AsType[*auth.PlatformError](err); ok {
		if advice, ok = credentialAdvice[reported.Code]; !ok {
			advice = "See the errcode in docs/wechat.md."
		}
	}
	return Finding{CheckCredentials, app, Failed, err.Error(), advice}
}
