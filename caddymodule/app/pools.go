package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/wechat"
)

// These pools and that of the stores keep what outlives a reload: Caddy provisions the new
// configuration before it cleans up the old one, so that what both use is never closed in
// between. Keys are structs, not joined strings, so that two different settings cannot
// become one.
var (
	rings     = caddy.NewUsagePool() // ringKey → *pooledRing: signing keys
	platforms = caddy.NewUsagePool() // platformKey → *pooledClient: connections and access tokens
	recents   = caddy.NewUsagePool() // struct{} → *metrics.Recent: outcomes of the last minutes
)

type (
	ringKey struct {
		storage string   // Caddy's storage
		store   storeKey // replaces storage if the keys are shared in a store
	}
	platformKey struct {
		client miniprogram.Key
		shared tokenPlace // where access tokens are shared; zero without store redis
	}
	tokenPlace struct {
		store storeKey
		box   string // ID of the root secret that seals the tokens
	}
)

// Acquire returns a value from a pool, constructs it if the pool does not have it, and
// appends the function that releases it. The pool counts references: call each release
// function once.
func Acquire[T caddy.Destructor](pool *caddy.UsagePool, key any, releases *[]func() error, construct func() (T, error)) (T, error) {
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return construct() })
	if err != nil {
		var none T
		return none, err
	}
	*releases = append(*releases, func() error {
		_, err := pool.Delete(key)
		return err
	})
	return value.(T), nil
}

// pooledRing is a key ring and the goroutine that rotates it.
type pooledRing struct {
	ring    *keyring.Ring
	stop    context.CancelFunc
	done    chan struct{}
	unwatch func()
}

// newPooledRing opens a ring, which revocations notifies when another machine has retired
// a key.
func newPooledRing(ctx context.Context, cfg keyring.Config, revocations *session.Set) (*pooledRing, error) {
	ring, err := keyring.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// Not a child of ctx: the ring outlives the configuration that opened it.
	running, stop := context.WithCancel(context.Background())
	o := &pooledRing{ring: ring, stop: stop, done: make(chan struct{}), unwatch: revocations.WatchKeys(ring.Changed)}
	go func() {
		defer close(o.done)
		ring.Run(running)
	}()
	return o, nil
}

// Destruct stops the goroutine.
func (o *pooledRing) Destruct() error {
	o.unwatch()
	o.stop()
	<-o.done
	return nil
}

// pooledClient is a client of WeChat with its connections and access token.
type pooledClient struct {
	client *wechat.Client
}

// Destruct stops the client's background work.
func (o *pooledClient) Destruct() error {
	o.client.Close()
	return nil
}

// tokenPurpose is the purpose under which a [seal.Box] seals WeChat's access tokens.
const tokenPurpose = "wechat-access-token"

// redisTokens is the [wechat.TokenShare] of one app's client, sealed in Redis.
type redisTokens struct {
	value *redis.Value
	box   *seal.Box
	name  string // associated data of the seal: a token moved to another app does not open
}

// tokenShare returns where clients with this key share their token, or nil without store
// redis.
func (o *opener) tokenShare(key platformKey) wechat.TokenShare {
	if o.redis == nil {
		return nil
	}
	whose := key.client.TokenIdentity()
	name := "token:" + hex.EncodeToString(o.box.MAC(tokenPurpose, whose[:]))
	return redisTokens{o.redis.Value(name), o.box, name}
}

// keptToken is the JSON form of a [wechat.SharedToken], which is sealed.
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
