package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
	"github.com/wxgate/wxgate/internal/session/redis/stream"
)

// Config is the configuration of a store in Redis (7.0 or newer) or Valkey (7.2 or newer).
type Config struct {
	// Addresses are host:port of the server, of all Sentinels, or of some nodes of a
	// Cluster.
	Addresses []string
	Sentinel  string // the master's name, if Addresses are Sentinels
	Cluster   bool   // Addresses are nodes of a Cluster

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	Database                           int         // must be 0 in a Cluster
	TLS                                *tls.Config // nil for plain TCP

	Prefix string // of every key; default "wxgate"

	// Acks is how many replicas of Redis must acknowledge a write. With none, a failover
	// may lose the writes just before it. 0 is the default: 1 with Sentinel and none
	// otherwise; a negative number is none. While a slot of a Cluster moves from one
	// master to another, writes to it may succeed without acknowledgements.
	Acks       int
	AckTimeout time.Duration // default 500 ms
	Timeout    time.Duration // of one command; default 1 s

	// Propagated is called for each revocation of another replica, with the time that it
	// took to arrive, measured across both clocks.
	Propagated func(time.Duration)
}

const (
	defaultPrefix     = "wxgate"
	defaultAckTimeout = 500 * time.Millisecond
	// defaultTimeout is about a hundred times the duration of a step.
	defaultTimeout = time.Second
)

func (cfg Config) withDefaults() Config {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.Acks == 0 && cfg.Sentinel != "" {
		cfg.Acks = 1
	}
	if cfg.AckTimeout <= 0 {
		cfg.AckTimeout = defaultAckTimeout
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Propagated == nil {
		cfg.Propagated = func(time.Duration) {}
	}
	return cfg
}

func (cfg Config) settings() connection.Settings {
	return connection.Settings{
		Addresses: cfg.Addresses, Sentinel: cfg.Sentinel, Cluster: cfg.Cluster,
		Username: cfg.Username, Password: cfg.Password, SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword,
		Database: cfg.Database, TLS: cfg.TLS,
		Timeout: cfg.Timeout, Acks: cfg.Acks, AckTimeout: cfg.AckTimeout,
	}
}

// Client is the connection of one process to the store that it shares with other
// processes. It outlives reloads. Each configuration has a [Store] over it, and all share
// its revocations, which it follows from the first Store on. It is safe for concurrent
// use.
type Client struct {
	cfg     Config
	opts    session.Options
	client  *connection.Connection
	opened  time.Time // the zero of the followers' times
	replica string    // names this process in the streams
	set     *session.Set
	recent  stream.Recent
	sweeper session.Sweeper
	locks   step.Locks
	// vault seals records, and box seals the vault's key; both are nil before the first
	// Store.
	vault atomic.Pointer[session.Vault]
	box   atomic.Pointer[seal.Box]
	// refused is why Redis refused the last write; nil if it accepted it.
	refused atomic.Pointer[error]
	closed  atomic.Bool

	opening   sync.Mutex // one call of Store at a time
	following sync.WaitGroup
	followers []*follower
	stop      context.CancelFunc // nil before the first Store
}

// Open connects. The error wraps [auth.ErrStoreUnavailable] and says what to check. The
// revocations are sealed, so they are only known once [Client.Store] was called.
func Open(ctx context.Context, cfg Config, opts session.Options) (*Client, error) {
	cfg = cfg.withDefaults()
	settings := cfg.settings()
	if err := settings.Check(); err != nil {
		return nil, session.Unavailable(err)
	}
	client, err := connection.Open(settings)
	if err != nil {
		return nil, session.Unavailable(settings.Explain(err))
	}
	r := &Client{
		cfg: cfg, opts: opts.WithDefaults(), client: client,
		opened: time.Now(), replica: rand.Text()[:replicaNameLength], set: session.NewSet(),
	}
	if err := r.checkServer(ctx); err != nil {
		r.client.Close()
		return nil, err
	}
	r.followers = r.newFollowers()
	return r, nil
}

// Store returns an [auth.Store] for one configuration; now is the clock for the end of
// sessions. It returns once all revocations in Redis are enforced. The error wraps
// [session.ErrOtherSecret] if box does not have the root secret that the store's key is
// sealed with.
func (r *Client) Store(ctx context.Context, box *seal.Box, now func() time.Time) (*Store, error) {
	r.opening.Lock()
	defer r.opening.Unlock()
	if r.closed.Load() {
		return nil, session.Unavailable(errClosed)
	}
	meta, err := r.readMeta(ctx, box)
	if err != nil {
		return nil, err
	}
	r.box.Store(box)
	r.vault.Store(meta.vault)
	if err := r.catchUp(ctx); err != nil {
		return nil, err
	}
	s := &Store{redis: r, now: now, box: box}
	s.resealed.Store(meta.secret == box.ID())
	return s, nil
}

// Connection returns the connection and the prefix of keys, for a queue.
func (r *Client) Connection() (*connection.Connection, string) { return r.client, r.cfg.Prefix }

// Revocations returns the set of the revocations in Redis.
func (r *Client) Revocations() *session.Set { return r.set }

// Ready returns an error unless this replica knows every recent revocation and, if Redis
// refused the last write, Redis accepts writes again.
func (r *Client) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if r.closed.Load() {
		return session.Unavailable(errClosed)
	}
	for _, f := range r.followers {
		if err := f.healthy(); err != nil {
			return err
		}
		if !f.isCaughtUp() {
			return session.Unavailable(fmt.Errorf("the revocations in Redis at %s are still being read", r.client.Where()))
		}
	}
	if r.refused.Load() != nil {
		return r.probe(ctx)
	}
	return nil
}

// Close ends all goroutines, waits for them and disconnects. Later operations return
// [auth.ErrStoreUnavailable].
func (r *Client) Close() error {
	r.opening.Lock()
	defer r.opening.Unlock()
	if r.closed.Swap(true) {
		return nil
	}
	if r.stop != nil {
		r.stop()
	}
	r.following.Wait()
	r.sweeper.Stop()
	r.client.Close()
	return nil
}

// key returns a key in the slot of a shard.
func (r *Client) key(shard byte, parts ...string) string {
	return r.cfg.Prefix + ":" + layout.HashTag(shard) + ":" + strings.Join(parts, ":")
}

func (r *Client) sessionKey(id auth.SessionID) string { return r.key(id.Shard(), "s", string(id)) }

func (r *Client) streamKey(shard byte) string { return r.key(shard, "revoked") }

func (r *Client) metaKey() string { return r.key(0, "meta") }
