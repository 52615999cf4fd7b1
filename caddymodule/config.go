package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// MiniProgram is one mini program whose users the gateway admits.
type MiniProgram struct {
	// The mini program's appid, such as `wx4f4bc4dec97d474b`, or a placeholder
	// that names one; on wecom the company's corpid. WeChat's must be wx and 16
	// hexadecimal digits. Required.
	AppID string `json:"appid"`

	// Where the mini program lives: `wechat`, `qq`, `douyin`, `kuaishou`,
	// `xiaohongshu` or `wecom`. Default `wechat`. On the others Component,
	// RawSessionKey and Callback are refused, there are no phone codes, and
	// `wxgate_openapi` does not serve the app.
	Platform string `json:"platform,omitempty"`

	// With platform wecom, the appid of the mini program, or a placeholder: WeCom
	// marks open data with it. Without it open data is refused as another app's.
	MiniProgram string `json:"mini_program,omitempty"`

	// The mini program's AppSecret. Required, but with Component. Write a placeholder, `{env.X}` or
	// `{file.X}`: it is resolved once, when the configuration is loaded, and then
	// neither logged nor shown at `/config/`. A literal works too, with a warning,
	// because Caddy itself shows it there.
	Secret string `json:"secret,omitempty"`

	// The third-party platform that logs this app's users in, in place of a
	// secret.
	Component *ComponentConfig `json:"component,omitempty"`

	// Where the platform's API is. Default the platform's own host, which for
	// wechat is `https://api.weixin.qq.com`. Set it for a forward proxy, a sandbox
	// or the simulator. An http URL to a public address is refused.
	API string `json:"api,omitempty"`

	// How old decrypted open data may be, by its watermark. Default 1h when
	// unset; 0 admits any age, which lets recorded data be replayed for ever.
	// Refused on kuaishou, whose data carries no watermark.
	Watermark *caddy.Duration `json:"watermark,omitempty"`

	// What a phone number in encrypted data proves: `verified` or `unverified`. An
	// unverified number is returned to the client with `"verified": false` and
	// reaches no session, token or header. Default: verified, but on kuaishou and
	// xiaohongshu, whose data has no watermark, unverified. A phone code always
	// verifies.
	EncryptedPhone string `json:"encrypted_phone,omitempty"`

	// `insecure`, or unset. For a migration only: accept WeChat's own
	// session_key from old clients. Whoever has one can encrypt any phone number
	// under it, so the answer is marked `"verified": false` and feeds no token
	// and no header.
	RawSessionKey string `json:"raw_session_key,omitempty"`

	// Where WeChat's pushes about users who withdraw go. Default: nowhere.
	Callback *CallbackConfig `json:"callback,omitempty"`

	id        auth.AppID // all resolved
	platform  wechat.Platform
	program   auth.AppID // "" but for MiniProgram
	secret    string
	component *wechat.Component
	callback  *wechat.Callback
	api       string
}

// ComponentConfig is a third-party platform (第三方平台).
type ComponentConfig struct {
	// The platform's own appid, or a placeholder that names one.
	AppID string `json:"appid"`

	// Where its component_access_token is: a URL of the operator's own service,
	// which answers a GET with `{"component_access_token": "…", "expires_in": 7200}`.
	// Write a placeholder if it holds a credential.
	TokenURL string `json:"token_url"`
}

// TokenConfig says what the tokens look like and how long they live.
type TokenConfig struct {
	// `iss` of every token. Default `wxgate`. Changing it logs nobody out.
	Issuer string `json:"issuer,omitempty"`

	// `aud` of every access token. Default: the issuer. Changing it logs nobody
	// out.
	Audience []string `json:"audience,omitempty"`

	// EdDSA, ES256, RS256 or HS256. Default EdDSA. Changing it makes a new key;
	// tokens of the old one stay valid until they expire.
	Alg string `json:"alg,omitempty"`

	// The signing key: a PEM private key or, for HS256, a secret of at least 32
	// bytes; a placeholder such as `{file.X}`. Default: generated at the first
	// start and kept in Caddy's storage.
	Key string `json:"key,omitempty"`

	// How long an access token lives. Default 1h.
	Access caddy.Duration `json:"access,omitempty"`

	// How long a session lives from its login, whatever happens. Default 30d.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// How long a session lives without a refresh. Default 7d.
	Idle caddy.Duration `json:"idle,omitempty"`

	// How long a generated key signs before the next one does. Default 30d. Old
	// keys verify until their last token ends. A configured key never rotates.
	Rotate caddy.Duration `json:"rotate,omitempty"`
}

// StoreConfig says where sessions are kept.
type StoreConfig struct {
	// `bolt` (default) keeps them in one file, `redis` in a Redis or Valkey that
	// any number of machines share, `memory` only until the process ends.
	Kind string `json:"kind,omitempty"`

	// With bolt, the file. Default `wxgate/wxgate.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// With redis, where it is and how to log in there. Required with redis.
	Redis *RedisConfig `json:"redis,omitempty"`

	redis *redisOpening // resolved
}

// HeaderNames are the request headers that carry the identity to the upstream.
// A name left empty stands for its default.
type HeaderNames struct {
	// The caller's openid. Default `X-WX-OPENID`.
	OpenID string `json:"openid,omitempty"`
	// The caller's unionid, when known. Default `X-WX-UNIONID`.
	UnionID string `json:"unionid,omitempty"`
	// The mini program's appid. Default `X-WX-APPID`.
	AppID string `json:"appid,omitempty"`
	// `wx_client`, as on WeChat Cloud Hosting. Default `X-WX-SOURCE`.
	Source string `json:"source,omitempty"`
	// The session's ID. Default `X-WX-SESSION`.
	Session string `json:"session,omitempty"`
	// The verified phone number, when known. Default: not sent.
	Phone string `json:"phone,omitempty"`
	// A JWT that proves the identity to one upstream. Default: not sent.
	Assertion string `json:"assertion,omitempty"`
	// The assertion's `aud`: names the upstream. Required with Assertion.
	AssertionAudience string `json:"assertion_audience,omitempty"`
}

// TokenSource says where a client puts its access token.
type TokenSource struct {
	// `header` (default), `query` or `cookie`.
	Kind string `json:"kind,omitempty"`
	// The header, query parameter or cookie. Default: the header Authorization,
	// with the scheme Bearer.
	Name string `json:"name,omitempty"`
}

// Requirement refuses identities that lack something, with 403.
type Requirement struct {
	// `phone`: the phone number was verified. `unionid`: it is known.
	// `app`: the token is one of Apps'.
	What string `json:"what"`
	// With `app`, the appids that may enter.
	Apps []string `json:"apps,omitempty"`
	// Where it holds: exact paths, or prefixes that end in /*.
	Paths []string `json:"paths"`
}
