// Package miniprogram has the options of one mini program, in the global block, and what they
// resolve to.
package miniprogram

import (
	"crypto/sha256"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/callback"
	"github.com/wxgate/wxgate/internal/wechat/testphone"
)

// Config is one mini program whose users the gateway admits, or a service account or website
// of the same operator.
type Config struct {
	// The mini program's appid, such as `wx4f4bc4dec97d474b`, or a placeholder; on
	// wecom the company's corpid. On wechat it must be wx and 16 hexadecimal digits.
	// Required.
	AppID string `json:"appid"`

	// The mini program's platform: `wechat`, `qq`, `douyin`, `kuaishou`,
	// `xiaohongshu` or `wecom`. Default `wechat`. The others do not
	// support Component, RawSessionKey, Callback, phone codes and `wxgate_openapi`.
	Platform string `json:"platform,omitempty"`

	// `official` for a service account (公众号), or `website` for a website app of the WeChat
	// Open Platform (网站应用). Their users log in on web pages, on sites whose `web` names the
	// app. No other site admits them, and the login API does not serve them. Only on wechat,
	// with a secret. Not supported are the options about risk, phone numbers and encrypted
	// data. A website has neither Callback nor APISecurity. `wxgate_openapi` serves an official
	// account if it names it. Default: a mini program.
	Kind string `json:"kind,omitempty"`

	// With platform wecom, the appid of the mini program, or a placeholder: WeCom's
	// open data contains it. Default: open data is refused as another app's.
	MiniProgram string `json:"mini_program,omitempty"`

	// The mini program's AppSecret, as a placeholder `{env.X}` or `{file.X}`: it is
	// resolved when the configuration is loaded, and neither logged nor shown at
	// `/config/`. A literal is accepted with a warning, because Caddy shows it there.
	// Required, except with Component.
	Secret string `json:"secret,omitempty"`

	// The third-party platform that logs in this app's users, instead of a secret.
	// Default: none.
	Component *ComponentConfig `json:"component,omitempty"`

	// The URL of the platform's API, for a forward proxy, a sandbox, the simulator, or a
	// container with WeChat's login. Calls go below its path. If its host is not WeChat's,
	// browsers that log in to an app with a Kind are also sent to WeChat's pages below it. With a path, and a host that
	// is not WeChat's, the formats of the appid and the secret are not checked.
	// An http URL with a public address is refused. Default: the platform's host, on
	// wechat `https://api.weixin.qq.com`.
	API string `json:"api,omitempty"`

	// The maximum age of decrypted open data, by its watermark. 0 accepts any age, so
	// that recorded data can be replayed forever. Not supported on kuaishou, whose data
	// has no watermark. Default 1h.
	Watermark *caddy.Duration `json:"watermark,omitempty"`

	// Whether a phone number in encrypted data is `verified`, `checked` or `unverified`.
	// With `checked`, WeChat must confirm that it encrypted the number. An
	// unverified number is returned to the client with `"verified": false` and is not
	// stored in a session, token or header. Default: verified, but on kuaishou and
	// xiaohongshu, whose data has no watermark, unverified. A phone code always
	// verifies.
	EncryptedPhone string `json:"encrypted_phone,omitempty"`

	// How many phone codes of this app may be exchanged in a window, over all machines that
	// share a store, such as `1000/1d`. Windows of whole days begin at midnight in Beijing.
	// Beyond it, decode responds 429 `budget_exhausted` until the window ends. A code that
	// WeChat refuses is not counted; a code whose outcome is not known is counted. While the
	// store is down, decode responds 503. Not supported with Component or on other platforms,
	// which have no phone codes. Default: no limit but `limit phone` of each user.
	PhoneBudget string `json:"phone_budget,omitempty"`

	// Phone numbers that replace those of WeChat's virtual accounts, `12066600001` to
	// `12066600004`, in responses, tokens and headers, for tests. Upstreams cannot tell such a
	// number from a real one: anyone who tests the mini program with a virtual account is, to
	// them, the owner of its number. A warning is logged at every load. Only on wechat.
	// Default: none; the virtual number is returned.
	TestPhones map[string]string `json:"test_phones,omitempty"`

	// `insecure`: accept WeChat's session_key from old clients, during a migration. A
	// client that has one can encrypt any phone number with it, so the response has
	// `"verified": false`, and no token or header gets the number. Default: such a
	// session_key is refused.
	RawSessionKey string `json:"raw_session_key,omitempty"`

	// Encrypts and signs the calls of WeChat's server API that support it, wxgate's and
	// those of `wxgate_openapi`, and refuses responses that WeChat did not sign. Only on
	// wechat, with a secret. Default: the calls are protected by TLS alone.
	APISecurity *APISecurityConfig `json:"api_security,omitempty"`
	// Receives WeChat's messages about users who withdraw their authorization, and forwards
	// messages to services. Default: not received.
	Callback *CallbackConfig `json:"callback,omitempty"`

	// How many sessions a user of this app may have. A login beyond it ends the user's
	// oldest session, whose client gets 401 `session_replaced` and must not log in again
	// automatically. Default: 100 sessions, and what a login beyond them ends is
	// `session_revoked`, after which clients log in again silently.
	SessionLimit *SessionLimitConfig `json:"session_limit,omitempty"`

	// Have each login ask WeChat for the user's risk rank, for `require risk` of sites and
	// the header `risk`. Only on wechat, with a secret. Default: WeChat is not asked, and no
	// user has a rank.
	Risk *RiskConfig `json:"risk,omitempty"`

	id          auth.AppID // all resolved
	platform    wechat.Platform
	miniProgram auth.AppID // "" but for MiniProgram
	secret      string
	component   *wechat.Component
	security    *apisecurity.Security // nil without APISecurity
	securityKey [sha256.Size]byte     // a hash of APISecurity, resolved
	callback    *callback.Receiver
	api         string
	container   bool         // API is a container's: its URL has a path, and its host is not WeChat's
	budget      *budget.Rate // nil without PhoneBudget
	testPhones  testphone.Numbers
	risk        *wechat.RiskConfig
	replyLine   error // the error for the line of the first reply in the Caddyfile
}

// ID returns the resolved appid.
func (m *Config) ID() auth.AppID { return m.id }

// ResolvedPlatform returns the platform, WeChat by default.
func (m *Config) ResolvedPlatform() wechat.Platform { return m.platform }

// APIURL returns the resolved URL of the platform's API; "" for the platform's host.
func (m *Config) APIURL() string { return m.api }

// Receiver returns the receiver of WeChat's messages, or nil without a callback.
func (m *Config) Receiver() *callback.Receiver { return m.callback }

// Budget returns how many phone codes may be exchanged, or nil if there is no limit.
func (m *Config) Budget() *budget.Rate { return m.budget }

// Forwards returns the services that get WeChat's messages.
func (m *Config) Forwards() []*pushes.Forward {
	if m.Callback == nil {
		return nil
	}
	return m.Callback.Forward
}

// TakesRawKeys reports whether old clients may send WeChat's session_key.
func (m *Config) TakesRawKeys() bool { return m.RawSessionKey == rawKeyInsecure }

// SessionLimitConfig limits the number of sessions of a user.
type SessionLimitConfig struct {
	// The number of sessions, from 1 to 100. Required.
	Sessions int `json:"sessions"`

	// Whether each class of devices, such as iOS, Android or Windows, has a separate limit.
	// The User-Agent of the login names the class. A user has at most 100 sessions in all.
	// Default: the limit is for all devices together.
	PerDevice bool `json:"per_device,omitempty"`
}

// ComponentConfig is a third-party platform (第三方平台).
type ComponentConfig struct {
	// The third-party platform's appid, or a placeholder. Required.
	AppID string `json:"appid"`

	// The URL of a service of the operator that returns
	// `{"component_access_token": "…", "expires_in": 7200}` for a GET. Use a placeholder
	// if the URL contains a credential. Required.
	TokenURL string `json:"token_url"`
}

// CallbackConfig has the message push settings (消息推送配置) of a mini program, from its
// console on mp.weixin.qq.com.
type CallbackConfig struct {
	// The Token, 3 to 32 letters and digits, as a placeholder such as `{env.X}`.
	Token string `json:"token"`

	// The EncodingAESKey, 43 letters and digits, as a placeholder. With it, only
	// encrypted messages are accepted (安全模式). Default: messages are not encrypted, and
	// anyone who records a message can change its content and send it for five minutes.
	EncodingAESKey string `json:"encoding_aes_key,omitempty"`

	// Services that get the messages, after wxgate has processed them. An EncodingAESKey is
	// required. At most 16. Default: messages are acknowledged and dropped.
	Forward []*pushes.Forward `json:"forward,omitempty"`
}
