package app

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/redisstore"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/callback"
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

	// Whether a phone number in encrypted data is `verified`, `checked` or `unverified`.
	// With `checked`, WeChat must confirm that it encrypted the number. An
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

	// How many sessions a user of this app may have. A login beyond it ends the user's
	// oldest session, whose client gets 401 `session_replaced` and must not log in again
	// automatically. Default: 100 sessions, and what a login beyond them ends is
	// `session_revoked`, after which clients log in again silently.
	SessionLimit *SessionLimitConfig `json:"session_limit,omitempty"`

	id          auth.AppID // all resolved
	platform    wechat.Platform
	miniProgram auth.AppID // "" but for MiniProgram
	secret      string
	component   *wechat.Component
	callback    *callback.Receiver
	api         string
}

// SessionLimitConfig is how many sessions a user may have.
type SessionLimitConfig struct {
	// The number of sessions, from 1 to 100. Required.
	Sessions int `json:"sessions"`

	// Whether each class of devices has a separate limit, such as iOS, Android and
	// Windows, as the login's User-Agent says it. A user has at most 100 sessions in all.
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

// CallbackConfig is a mini program's message push settings (消息推送配置), as its console
// on mp.weixin.qq.com has them.
type CallbackConfig struct {
	// The Token, 3 to 32 letters and digits, as a placeholder such as `{env.X}`.
	Token string `json:"token"`

	// The EncodingAESKey, 43 letters and digits, as a placeholder. With it, only
	// encrypted messages are accepted (安全模式). Default: messages are not encrypted, and
	// anyone who records one can change its content for five minutes.
	EncodingAESKey string `json:"encoding_aes_key,omitempty"`
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

	// How much memory each process may use to keep access tokens that it verified, in
	// bytes, at least 1 MiB. A token takes some 1 KiB. With more users at once than it
	// has room for, signatures are verified again. Default 64 MiB.
	Cache int64 `json:"cache,omitempty"`
}

// StoreConfig configures the session store.
type StoreConfig struct {
	// `bolt` (default) keeps them in one file, `redis` in a Redis or Valkey that
	// any number of machines share, `memory` only until the process ends.
	Kind string `json:"kind,omitempty"`

	// With bolt, the file. Default `wxgate/wxgate.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// With redis, its addresses and credentials. Required with redis.
	Redis *redisstore.Config `json:"redis,omitempty"`

	opening *redisstore.Opening // resolved; nil without redis
}
