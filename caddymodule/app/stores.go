package app

import (
	"context"
	"crypto/sha256"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/budget/boltbudget"
	"github.com/wxgate/wxgate/internal/budget/redisbudget"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/boltqueue"
	"github.com/wxgate/wxgate/internal/queue/redisqueue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/traces"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/web/boltrecords"
	"github.com/wxgate/wxgate/internal/web/redisrecords"
)

// stores has the open stores, storeKey → *pooledStore: sessions, revocations and watched
// responses, which outlive a reload.
var stores = caddy.NewUsagePool()

// storeKey identifies a store.
type storeKey struct {
	kind, path string
	redis      [sha256.Size]byte // hash of the settings; zero without redis
}

// pooledStore is a store that any number of configurations share, each with its
// own root secrets.
type pooledStore struct {
	forBox      func(context.Context, *seal.Box) (auth.Store, error)
	revocations *session.Set
	ready       func(context.Context) error
	queue       func(kind string, limits queue.Limits) queue.Store
	budgets     budget.Store
	records     web.Records // of the sign-in of browsers
	close       func() error
	redis       *redis.Client // nil for a store that no other process shares
	// counts returns the numbers of sessions and users, if they are known.
	counts func(ctx context.Context) (n session.Counts, known bool)
	// bytes returns the size of the file, or the memory of the Redis server; nil with memory.
	bytes func(ctx context.Context) (int64, error)
}

func (s *StoreConfig) key() storeKey {
	key := storeKey{kind: s.Kind, path: s.Path}
	if s.opening != nil {
		key.redis = s.opening.Key
	}
	return key
}

func newPooledStore(ctx context.Context, cfg *StoreConfig, logger *zap.Logger) (*pooledStore, error) {
	traced := traces.Store(cfg.Kind)
	options := session.Options{
		OnError: func(err error) { logger.Error("session store maintenance failed", zap.Error(err)) },
		Observe: func(ctx context.Context, op string, began time.Time, err error) {
			metrics.ObserveStore(op, began, err)
			traced(ctx, op, began, err)
		},
	}
	if cfg.Kind == StoreRedis {
		return newPooledRedis(ctx, cfg.opening.Config, options)
	}
	if cfg.Kind == StoreMemory {
		logger.Warn("store memory: every session ends with this process")
		store := memory.New(time.Now, options)
		store.Start()
		return &pooledStore{
			forBox:      func(context.Context, *seal.Box) (auth.Store, error) { return store, nil },
			revocations: store.Revocations(),
			ready:       store.Ready,
			queue:       func(_ string, limits queue.Limits) queue.Store { return queue.NewLocal(limits, nil) },
			budgets:     budget.NewLocal(nil, time.Now),
			records:     web.NewLocalRecords(time.Now),
			close:       store.Close,
			counts:      store.Counts,
		}, nil
	}
	file, err := bolt.Open(cfg.Path, options)
	if err != nil {
		return nil, err
	}
	file.Start()
	return &pooledStore{
		forBox:      func(_ context.Context, box *seal.Box) (auth.Store, error) { return file.Store(box, time.Now) },
		revocations: file.Revocations(),
		ready:       file.Ready,
		queue:       func(kind string, limits queue.Limits) queue.Store { return boltqueue.New(file, kind, limits) },
		budgets:     boltbudget.New(file),
		records:     boltrecords.New(file, time.Now),
		close:       file.Close,
		counts:      file.Counts,
		bytes:       func(context.Context) (int64, error) { return fileBytes(cfg.Path) },
	}, nil
}

// fileBytes returns the size of a file.
func fileBytes(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Destruct closes the store when the last configuration has released it.
func (s *pooledStore) Destruct() error { return s.close() }

// newPooledRedis connects to Redis. Configurations with the same settings share the
// connection.
func newPooledRedis(ctx context.Context, cfg redis.Config, options session.Options) (*pooledStore, error) {
	cfg.Propagated = metrics.ObserveRevocation
	client, err := redis.Open(ctx, cfg, options)
	if err != nil {
		return nil, err
	}
	conn, prefix := client.Connection()
	return &pooledStore{
		forBox:      func(ctx context.Context, box *seal.Box) (auth.Store, error) { return client.Store(ctx, box, time.Now) },
		revocations: client.Revocations(),
		ready:       client.Ready,
		queue: func(kind string, limits queue.Limits) queue.Store {
			return redisqueue.New(conn, prefix, kind, limits)
		},
		budgets: redisbudget.New(conn, prefix),
		records: redisrecords.New(conn, prefix, time.Now),
		close:   client.Close,
		redis:   client,
		counts:  client.Counts,
		bytes:   client.Bytes,
	}, nil
}
