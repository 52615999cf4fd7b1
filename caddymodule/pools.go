package caddymodule

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/wechat"
)

// What must outlive a reload of the configuration lives in these pools: Caddy
// provisions the new configuration before it cleans up the old one, so that what
// both use is never closed in between. Keys are structs, never joined strings:
// two settings that are not the same must not become one.
var (
	stores    = caddy.NewUsagePool() // storeKey → *openStore: sessions, revocations, watched streams
	rings     = caddy.NewUsagePool() // ringKey → *openRing: signing keys
	platforms = caddy.NewUsagePool() // platformKey → *openPlatform: connections and access tokens
)

type (
	storeKey    struct{ kind, path string }
	ringKey     struct{ storage string }
	platformKey struct {
		app, api  string
		secret    [sha256.Size]byte
		component wechat.Component // TokenURL hashed
		watermark time.Duration
	}
)

// acquire takes a value from a pool, making it if nobody has, and notes how to
// give it back. Only what was taken may be given back: UsagePool counts.
func acquire[T caddy.Destructor](pool *caddy.UsagePool, key any, releases *[]func() error, construct func() (T, error)) (T, error) {
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

// openStore is a store that any number of configurations share, each with its
// own root secrets.
type openStore struct {
	forBox      func(*seal.Box) (auth.Store, error)
	revocations *session.Set
	ready       func(context.Context) error
	close       func() error
}

func newOpenStore(cfg *StoreConfig, logger *zap.Logger) (*openStore, error) {
	options := session.Options{OnError: func(err error) {
		logger.Error("the session store could not be swept", zap.Error(err))
	}}
	if cfg.Kind == storeMemory {
		logger.Warn("store memory: every session ends with this process")
		memory := session.NewMemory(time.Now, options)
		memory.Start()
		return &openStore{
			forBox:      func(*seal.Box) (auth.Store, error) { return memory, nil },
			revocations: memory.Revocations(),
			ready:       memory.Ready,
			close:       memory.Close,
		}, nil
	}
	file, err := session.OpenFile(cfg.Path, options)
	if err != nil {
		return nil, err
	}
	file.Start()
	return &openStore{
		forBox:      func(box *seal.Box) (auth.Store, error) { return file.Store(box, time.Now) },
		revocations: file.Revocations(),
		ready:       file.Ready,
		close:       file.Close,
	}, nil
}

// Destruct closes the store when the last configuration has let go of it.
func (s *openStore) Destruct() error { return s.close() }

// openRing is a key ring and the goroutine that rotates it.
type openRing struct {
	ring *token.Ring
	stop context.CancelFunc
	done chan struct{}
}

func newOpenRing(ctx context.Context, cfg token.RingConfig) (*openRing, error) {
	ring, err := token.OpenRing(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// Not a child of ctx: the ring outlives the configuration that opened it.
	running, stop := context.WithCancel(context.Background())
	o := &openRing{ring: ring, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		ring.Run(running)
	}()
	return o, nil
}

// Destruct ends the goroutine.
func (o *openRing) Destruct() error {
	o.stop()
	<-o.done
	return nil
}

// openPlatform is a client of WeChat with its connections and access token.
type openPlatform struct {
	client *wechat.Client
}

func (m *MiniProgram) platformKey() platformKey {
	key := platformKey{app: string(m.id), api: m.api, secret: sha256.Sum256([]byte(m.secret)), watermark: time.Duration(*m.Watermark)}
	if m.component != nil {
		sum := sha256.Sum256([]byte(m.component.TokenURL))
		key.component = wechat.Component{AppID: m.component.AppID, TokenURL: string(sum[:])}
	}
	return key
}

func newOpenPlatform(m *MiniProgram) (*openPlatform, error) {
	client, err := wechat.New(wechat.Config{
		AppID:     m.id,
		Secret:    m.secret,
		Component: m.component,
		API:       m.api,
		Watermark: time.Duration(*m.Watermark),
		Observe:   metrics.observeWeChat,
	})
	return &openPlatform{client}, err
}

// Destruct ends the client's background work.
func (o *openPlatform) Destruct() error {
	o.client.Close()
	return nil
}
