package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// What a sidecar's connections may cost. rueidis's own defaults are made for
// a process that does nothing else: half a megabyte of buffers each.
const (
	dialTimeout = time.Second
	bufferBytes = 16 << 10 // bytes, each way; a step is under 2 KiB
	ringScale   = 10       // 2^10 commands under way on one connection
	// blockingConns is how many connections wait for something at once, for
	// each server: followers, and writes that wait for acknowledgements.
	blockingConns = 32
	blockingIdle  = time.Minute // how long one of them is kept
	// pingAfter is after how much silence a connection is tried. A connection
	// that does not answer then for stuckAfter is given up, and with it all
	// commands that it holds up.
	pingAfter  = time.Second
	stuckAfter = time.Second
	// topologyEvery is how often the layout of a Cluster is looked up, over and
	// above when it is noticed to have changed.
	topologyEvery = 5 * time.Second

	oldestServer = 7 // major version
	noEviction   = "noeviction"
)

var (
	errClosed    = errors.New("the store is closed")
	errNoCluster = errors.New("it is no Cluster")
	errEvicts    = errors.New("when it is full it throws sessions and revocations away")
	errOldServer = errors.New("the server is too old: Redis 7.0 or Valkey 7.2 is needed")
)

// check refuses what cannot work.
func (cfg Config) check() error {
	switch {
	case len(cfg.Addresses) == 0:
		return errors.New("no address of Redis")
	case cfg.Sentinel != "" && cfg.Cluster:
		return errors.New("redis: Sentinel and Cluster exclude each other")
	case cfg.Sentinel == "" && !cfg.Cluster && len(cfg.Addresses) > 1:
		return errors.New("redis: several addresses need either Sentinel or Cluster")
	case cfg.Cluster && cfg.Database != 0:
		return errors.New("redis: a Cluster has the database 0 alone")
	default:
		return nil
	}
}

// clientOption is what all connections have in common.
func clientOption(cfg Config) rueidis.ClientOption {
	option := rueidis.ClientOption{
		InitAddress: cfg.Addresses,
		Username:    cfg.Username,
		Password:    cfg.Password,
		SelectDB:    cfg.Database,
		TLSConfig:   cfg.TLS,
		ClientName:  "wxgate",

		// A write is never sent twice behind our back, and a read has nobody who
		// would wait longer.
		DisableRetry:  true,
		DisableCache:  true,
		ClientSetInfo: rueidis.DisableClientSetInfo,
		// Every command is then given up when its context is.
		AlwaysPipelining: true,

		PipelineMultiplex:   -1, // one connection for all that does not wait
		ReadBufferEachConn:  bufferBytes,
		WriteBufferEachConn: bufferBytes,
		RingScaleEachConn:   ringScale,
		BlockingPoolSize:    blockingConns,
		BlockingPoolCleanup: blockingIdle,
		BlockingPoolMinSize: 1,
		ConnWriteTimeout:    stuckAfter,
	}
	option.Dialer.Timeout = dialTimeout
	option.Dialer.KeepAlive = pingAfter
	return option
}

// connect connects to the one server, to a Cluster, or to the master that the
// Sentinels name. conns are the connections to it, but of a Cluster, which tells
// its clients itself who is the master.
func connect(cfg Config, conns *masterConns) (rueidis.Client, *sentinels, error) {
	option := clientOption(cfg)
	option.ForceSingleClient = !cfg.Cluster
	if cfg.Cluster {
		option.ClusterOption.ShardsRefreshInterval = topologyEvery
	}
	if cfg.Sentinel == "" {
		if !cfg.Cluster {
			option.DialCtxFn = conns.dial
		}
		client, err := newClient(cfg, option)
		return client, nil, err
	}
	set := newSentinels(cfg, conns)
	option.InitAddress = []string{cfg.Sentinel} // a name: dial finds the address
	option.DialCtxFn = set.dial
	client, err := newClient(cfg, option)
	if err != nil {
		set.close()
		return nil, nil, err
	}
	return client, set, nil
}

func newClient(cfg Config, option rueidis.ClientOption) (rueidis.Client, error) {
	client, err := rueidis.NewClient(option)
	if err == nil && cfg.Cluster && client.Mode() != rueidis.ClientModeCluster {
		err = errNoCluster
	}
	if err != nil && client != nil {
		client.Close()
		client = nil
	}
	return client, err
}

// checkServer asks whether the server can run the scripts, and reports one that
// may throw revocations away.
func (r *Client) checkServer(ctx context.Context) error {
	text, err := r.do(ctx, r.client.B().Info().Section("server", "memory").Build()).ToString()
	if err != nil {
		return r.failed(err)
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestServer {
		return session.Unavailable(fmt.Errorf("redis at %s: %w, it says that it is %q", r.cfg.where(), errOldServer, info["redis_version"]))
	}
	if policy := info["maxmemory_policy"]; policy != noEviction {
		r.opts.OnError(fmt.Errorf("redis at %s: %w: its maxmemory-policy is %s: set it to %s", r.cfg.where(), errEvicts, policy, noEviction))
	}
	return nil
}

// where names the servers in errors: addresses, and nothing that is secret.
func (cfg Config) where() string { return strings.Join(cfg.Addresses, ", ") }

// explain says what an operator can do about an error of Redis.
func (cfg Config) explain(err error) error {
	advice := "check that it runs, that this machine reaches it, and that redis:// or rediss:// (TLS, with a certificate where it wants one) is what the port speaks"
	for _, known := range adviceByText {
		if strings.Contains(err.Error(), known.text) {
			advice = known.advice
			break
		}
	}
	return fmt.Errorf("redis at %s: %w: %s", cfg.where(), err, advice)
}

// adviceByText is the advice for errors of Redis, or of the connection, by a part of their text.
var adviceByText = []struct{ text, advice string }{
	{"WRONGPASS", "check username and password"},
	{"NOAUTH", "it wants a password: give username and password"},
	{"NOPERM", "give the ACL user the rights that SECURITY.md lists"},
	{"LOADING", "it is still reading its data from the disk: wait"},
	{"READONLY", "it is a replica: give the master's address, or name the Sentinels"},
	{"OOM", "its memory is full: raise maxmemory (policy noeviction)"},
	{"MISCONF", "it cannot save to its disk: make room there"},
	{"MASTERDOWN", "it is a replica that lost its master: give the master's address"},
	{errFewAcks.Error(), "its replicas are away or behind: bring them back (acks says how many have to hold a write)"},
	{"NOREPLICAS", "too few of its replicas are connected (min-replicas-to-write)"},
	{"CLUSTERDOWN", "the Cluster has lost a master, or slots without one: repair it"},
	{errNoCluster.Error(), "leave out the word cluster"},
	{"MOVED", "it is a node of a Cluster: add the word cluster"},
	{"'SENTINEL'", "it is no Sentinel: give the addresses of the Sentinels, or leave out the word sentinel"},
	{"No such master", "the Sentinels do not know a master of that name: check it"},
	{"BUSY ", "a script of somebody else's keeps it: SCRIPT KILL ends it"},
	{"max number of clients", "too many are connected: raise maxclients"},
	{"unknown command", "it is too old, or the command was renamed: Redis 7.0 or Valkey 7.2 is needed"},
	{"x509", "check the certificate, its authority (ca) and the name it is for (server_name)"},
	{"first record does not look like a TLS handshake", "it does not speak TLS on this port: use redis://"},
	{"certificate required", "it wants a client certificate: give cert and key"},
}

// failed is the error of a command.
func (r *Client) failed(err error) error {
	if errors.Is(err, rueidis.ErrClosing) && r.closed.Load() {
		return session.Unavailable(errClosed)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrStoreUnavailable) {
		return session.Unavailable(err)
	}
	return session.Unavailable(r.cfg.explain(err))
}
