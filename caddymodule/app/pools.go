package app

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/session"
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
)

type (
	ringKey struct {
		storage string   // Caddy's
		store   storeKey // in place of it, when the keys are shared there
	}
	platformKey struct {
		app, api    string
		platform    wechat.Platform
		miniProgram auth.AppID
		secret      [sha256.Size]byte
		component   wechat.Component // TokenURL hashed
		watermark   time.Duration
		phone       string     // encrypted_phone
		shared      tokenPlace // where access tokens are shared; none without store redis
	}
	tokenPlace struct {
		store storeKey
		box   string // the root secret that seals them, by its ID
	}
)

// Acquire takes a value from a pool, constructs it if it is not there, and appends the
// function that releases it. UsagePool counts: call each of them once.
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

// newPooledRing opens a ring; revocations notify it when another machine retired a
// key.
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

func (m *MiniProgram) platformKey(shared tokenPlace) platformKey {
	key := platformKey{
		app: string(m.id), api: m.api, platform: m.platform, miniProgram: m.miniProgram,
		secret: sha256.Sum256([]byte(m.secret)), watermark: time.Duration(*m.Watermark), phone: m.EncryptedPhone, shared: shared,
	}
	if m.component != nil {
		sum := sha256.Sum256([]byte(m.component.TokenURL))
		key.component = wechat.Component{AppID: m.component.AppID, TokenURL: string(sum[:])}
	}
	return key
}

func newPooledClient(m *MiniProgram, share wechat.TokenShare) (*pooledClient, error) {
	client, err := wechat.New(wechat.Config{
		Platform:    m.platform,
		AppID:       m.id,
		MiniProgram: m.miniProgram,
		Secret:      m.secret,
		Component:   m.component,
		API:         m.api,
		Watermark:   time.Duration(*m.Watermark),

		UnverifiedPhone: m.EncryptedPhone == phoneUnverified,
		TrustUnmarked:   m.EncryptedPhone == phoneVerified,

		Share:   share,
		Observe: metrics.ObserveWeChat,
	})
	return &pooledClient{client}, err
}

// Destruct stops the client's background work.
func (o *pooledClient) Destruct() error {
	o.client.Close()
	return nil
}
