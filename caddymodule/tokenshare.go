package caddymodule

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/wechat"
)

// tokenPurpose seals WeChat's access tokens, as seal.Box has it.
const tokenPurpose = "wechat-access-token"

// redisTokens is the [wechat.TokenShare] of one app's client, sealed in Redis.
type redisTokens struct {
	value *redis.Value
	box   *seal.Box
	name  string // bound to what is sealed: a token moved to another app does not open
}

// tokenShare is where clients with this key share their token; nil when there is
// no such place.
func (rt *runtime) tokenShare(key platformKey) wechat.TokenShare {
	if rt.redis == nil {
		return nil
	}
	// Not the watermark, which has nothing to do with tokens.
	whose := hashOf(string(key.platform), key.app, key.api, string(key.secret[:]), string(key.component.AppID), key.component.TokenURL)
	name := "token:" + hex.EncodeToString(rt.box.MAC(tokenPurpose, whose[:]))
	return redisTokens{rt.redis.Value(name), rt.box, name}
}

// keptToken is a [wechat.SharedToken] as it is sealed.
type keptToken struct {
	Token   string    `json:"token"`
	Fetched time.Time `json:"fetched"`
	Expires time.Time `json:"expires"`
}

// Load implements [wechat.TokenShare].
func (r redisTokens) Load(ctx context.Context) (wechat.SharedToken, error) {
	sealed, err := r.value.Load(ctx)
	if err != nil || sealed == nil {
		return wechat.SharedToken{}, err
	}
	text, err := r.box.Open(tokenPurpose, sealed, []byte(r.name))
	if err != nil {
		return wechat.SharedToken{}, fmt.Errorf("the shared access token: %w", err)
	}
	var kept keptToken
	if err := json.Unmarshal(text, &kept); err != nil {
		return wechat.SharedToken{}, fmt.Errorf("the shared access token: %w", err)
	}
	return wechat.SharedToken(kept), nil
}

// Keep implements [wechat.TokenShare].
func (r redisTokens) Keep(ctx context.Context, token wechat.SharedToken) error {
	life := time.Until(token.Expires)
	if life <= 0 {
		return nil
	}
	text, err := json.Marshal(keptToken(token))
	if err != nil {
		return err
	}
	sealed, err := r.box.Seal(tokenPurpose, text, []byte(r.name))
	if err != nil {
		return err
	}
	return r.value.Put(ctx, sealed, life)
}

// Lease implements [wechat.TokenShare].
func (r redisTokens) Lease(ctx context.Context, ttl time.Duration) (release func(), held bool, err error) {
	return r.value.Lease(ctx, ttl)
}

// Interface guards
var _ wechat.TokenShare = redisTokens{}
