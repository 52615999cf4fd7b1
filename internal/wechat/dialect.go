package wechat

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

// Platform names where a mini program lives: a closed set.
type Platform string

// The platforms.
const (
	WeChat      Platform = "wechat"
	QQ          Platform = "qq"
	Douyin      Platform = "douyin"
	Kuaishou    Platform = "kuaishou"
	Xiaohongshu Platform = "xiaohongshu"
	WeCom       Platform = "wecom"
)

// Platforms are all of them, WeChat first.
func Platforms() []Platform {
	return []Platform{WeChat, QQ, Douyin, Kuaishou, Xiaohongshu, WeCom}
}

// dialect is how one platform's server API says what all of them mean. Whatever
// it does not say is the same everywhere: how calls are bounded, guarded, shared
// and never replayed, and what is kept out of errors.
type dialect struct {
	platform Platform
	api      string // the base URL

	// status reads what every answer has: a code, 0 for success, and the words
	// beside it. An error means that the body is not such an answer.
	status func(body []byte) (code int, message string, err error)

	// login is the request that spends a login code. token is the app's access
	// token where withToken says so, and empty otherwise.
	login     func(cfg *Config, code, token string) request
	withToken bool
	session   func() sessionAnswer

	// token is the request for the app's access token.
	token func(cfg *Config) request
	grant func() tokenAnswer

	meanings     map[int]meaning
	callMeanings map[CallName]map[int]meaning // where one number means something else
	busy         int                          // says that the platform itself is unwell
	stale        []int                        // refuse an access token, before anything else was done

	keys []int // the sizes of a session key, in bytes
	// bare says that data may come without a watermark, and a phone number
	// without its purePhoneNumber.
	bare bool
	// owner reads whose data it is, where that is not the member openId.
	owner func(cfg *Config, plain []byte) (auth.OpenID, bool)
}

// sessionAnswer is a platform's answer to a login code. What it holds is checked
// by whoever asks.
type sessionAnswer interface {
	exchanged(cfg *Config) (auth.LoginResult, error)
}

// tokenAnswer is a platform's answer to the request for an access token; life is
// in seconds.
type tokenAnswer interface {
	granted() (token string, life int64)
}

// dialects says how to speak to each platform.
var dialects = map[Platform]*dialect{
	WeChat:      &weixin,
	QQ:          &qq,
	Douyin:      &douyin,
	Kuaishou:    &kuaishou,
	Xiaohongshu: &xiaohongshu,
	WeCom:       &wecom,
}

// isStale reports whether err is the platform refusing a call for its access
// token alone, having done nothing else.
func (d *dialect) isStale(err error) bool {
	platform, ok := platformErrorOf(err)
	return ok && d.isStaleCode(platform.Code)
}

func (d *dialect) isStaleCode(code int) bool { return slices.Contains(d.stale, code) }

// isBusy reports whether err is the platform's own word that it is unwell.
func (d *dialect) isBusy(err error) bool {
	platform, ok := platformErrorOf(err)
	return ok && platform.Code == d.busy
}

// weixinOnly refuses a call that no sibling of WeChat has, or none whose
// documentation says enough.
func (c *Client) weixinOnly(name CallName) error {
	if c.dialect.platform != WeChat {
		return fmt.Errorf("%w: %s of app %q, which is on %s", auth.ErrUnsupported, name, c.cfg.AppID, c.dialect.platform)
	}
	return nil
}

// unmarshal reads an answer. An errmsg in GBK is let through: the code beside it
// is what counts, and every other field is held to its own alphabet.
func unmarshal(body []byte, into any) error { return json.Unmarshal(body, into, tolerant) }
