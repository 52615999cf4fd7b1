package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// MiniProgram is one mini program whose users the gateway admits.
type MiniProgram struct {
	// The mini program's appid, such as `wx4f4bc4dec97d474b`, or a placeholder; on
	// wecom the company's corpid. On wechat it must be wx and 16 hexadecimal digits.
	// Required.
	AppID string `json:"appid"`

	// The mini program's platform: `wechat`, `qq`, `douyin`, `kuaishou`,
	// `xiaohongshu` or `wecom`. Default `wechat`. The others do not
	// support Component, RawSessionKey, Callback, phone codes and `wxgate_openapi`.
	Platform string `json:"platform,omitempty"`

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

	// The URL of the platform's API, for a forward proxy, a sandbox or the simulator.
	// An http URL with a public address is refused. Default: the platform's host, on
	// wechat `https://api.weixin.qq.com`.
	API string `json:"api,omitempty"`

	// The maximum age of decrypted open data, by its watermark. 0 accepts any age, so
	// that recorded data can be replayed forever. Not supported on kuaishou, whose data
	// has no watermark. Default 1h.
	Watermark *caddy.Duration `json:"watermark,omitempty"`

	// Whether a phone number in encrypted data is `verified` or `unverified`. An
	// unverified number is returned to the client with `"verified": false` and is not
	// stored in a session, token or header. Default: verified, but on kuaishou and
	// xiaohongshu, whose data has no watermark, unverified. A phone code always
	// verifies.
	EncryptedPhone string `json:"encrypted_phone,omitempty"`

	// `insecure`: accept WeChat's session_key from old clients, during a migration. A
	// client that has one can encrypt any phone number with it, so the response has
	// `"verified": false`, and no token or header gets the number. Default: such a
	// session_key is refused.
	RawSessionKey string `json:"raw_session_key,omitempty"`

	// Receives WeChat's messages about users who withdraw their authorization. Default:
	// not received.
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
	// The third-party platform's appid, or a placeholder. Required.
	AppID string `json:"appid"`

	// The URL of a service of the operator that returns
	// `{"component_access_token": "…", "expires_in": 7200}` for a GET. Use a placeholder
	// if the URL contains a credential. Required.
	TokenURL string `json:"token_url"`
}

// TokenConfig configures the tokens and their lifetimes.
type TokenConfig struct {
	// `iss` of every token. A change logs no user out. Default `wxgate`.
	Issuer string `json:"issuer,omitempty"`

	// `aud` of every access token. A change logs no user out. Default: the issuer.
	Audience []string `json:"audience,omitempty"`

	// EdDSA, ES256, RS256 or HS256. A change creates a new key; tokens of the old key
	// stay valid until they expire. Default EdDSA.
	Alg string `json:"alg,omitempty"`

	// The signing key: a PEM private key or, for HS256, a secret of at least 32
	// bytes; a placeholder such as `{file.X}`. Default: generated at the first
	// start and kept in Caddy's storage.
	Key string `json:"key,omitempty"`

	// Lifetime of an access token. Default 1h.
	Access caddy.Duration `json:"access,omitempty"`

	// Maximum lifetime of a session, from its login. Default 30d.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// Lifetime of a session without a refresh. Default 7d.
	Idle caddy.Duration `json:"idle,omitempty"`

	// How long a generated key signs before the next key does. Old keys verify until
	// their last token expires. A configured key never rotates. Default 30d.
	Rotate caddy.Duration `json:"rotate,omitempty"`
}

// StoreConfig configures the session store.
type StoreConfig struct {
	// `bolt` (default) keeps them in one file, `redis` in a Redis or Valkey that
	// any number of machines share, `memory` only until the process ends.
	Kind string `json:"kind,omitempty"`

	// With bolt, the file. Default `wxgate/wxgate.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// With redis, its addresses and credentials. Required with redis.
	Redis *RedisConfig `json:"redis,omitempty"`

	redis *redisOpening // resolved
}

// HeaderNames are the request headers that carry the identity to the upstream.
// An empty name is its default.
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
	// A JWT that proves the identity to the upstream. Default: not sent.
	Assertion string `json:"assertion,omitempty"`
	// The assertion's `aud`, a name of the upstream. Required with Assertion.
	AssertionAudience string `json:"assertion_audience,omitempty"`
}

// TokenSource is where clients send the access token.
type TokenSource struct {
	// `header` (default), `query` or `cookie`.
	Kind string `json:"kind,omitempty"`
	// The header, query parameter or cookie. Default: the header Authorization,
	// with the scheme Bearer.
	Name string `json:"name,omitempty"`
}

// Requirement refuses identities that lack something, with 403.
type Requirement struct {
	// `phone`: a verified phone number. `unionid`: a unionid. `app`: a token of one of
	// Apps. Required.
	What string `json:"what"`
	// With `app`, the admitted appids.
	Apps []string `json:"apps,omitempty"`
	// The paths: exact, or prefixes that end in /*. Required.
	Paths []string `json:"paths"`
}
