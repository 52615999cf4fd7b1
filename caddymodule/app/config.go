package app

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/redisstore"
)

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
