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
	errNoCluster = errors.New("not a Cluster")
	errEvicts    = errors.New("a full server evicts sessions and revocations")
	errOldServer = errors.New("the server is too old; Redis 7.0 or Valkey 7.2 is required")
)

// check refuses what cannot work.
func (cfg Config) check() error {
	switch {
	case len(cfg.Addresses) == 0:
		return errors.New("redis: address is required")
	case cfg.Sentinel != "" && cfg.Cluster:
		return errors.New("redis: sentinel and cluster are mutually exclusive")
	case cfg.Sentinel == "" && !cfg.Cluster && len(cfg.Addresses) > 1:
		return errors.New("redis: several addresses require sentinel or cluster")
	case cfg.Cluster && cfg.Database != 0:
		return errors.New("redis: a Cluster has only database 0")
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
		r.opts.OnError(fmt.Errorf("redis at %s: %w: maxmemory-policy is %s; set it to %s", r.cfg.where(), errEvicts, policy, noEviction))
	}
	return nil
}

// where names the servers in errors: addresses, and nothing that is secret.
func (cfg Config) where() string { return strings.Join(cfg.Addresses, ", ") }

// explain says what an operator can do about an error of Redis.
func (cfg Config) explain(err error) error {
	advice := "check that it is running and reachable, and that the port expects redis:// or rediss:// (TLS, with a client certificate if it requires one) as configured"
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
	{"NOAUTH", "it requires a password; set username and password"},
	{"NOPERM", "grant the ACL user the permissions listed in SECURITY.md"},
	{"LOADING", "it is still loading its data from the disk; wait"},
	{"READONLY", "it is a replica; configure the master's address, or use sentinel"},
	{"OOM", "its memory is full; raise maxmemory (with policy noeviction)"},
	{"MISCONF", "it cannot save to its disk; free disk space"},
	{"MASTERDOWN", "it is a replica that lost its master; configure the master's address"},
	{errFewAcks.Error(), "its replicas are down or behind; restore them (option acks sets how many must confirm a write)"},
	{"NOREPLICAS", "too few of its replicas are connected (min-replicas-to-write)"},
	{"CLUSTERDOWN", "a master or some slots of the Cluster are missing; fix the Cluster"},
	{errNoCluster.Error(), "remove the option cluster"},
	{"MOVED", "it is a node of a Cluster; add the option cluster"},
	{"'SENTINEL'", "it is not a Sentinel; configure the addresses of the Sentinels, or remove the option sentinel"},
	{"No such master", "the Sentinels know no master with this name; check the name"},
	{"BUSY ", "it is blocked by another client's script; run SCRIPT KILL"},
	{"max number of clients", "too many clients are connected; raise maxclients"},
	{"unknown command", "it is too old, or the command was renamed; Redis 7.0 or Valkey 7.2 is required"},
	{"x509", "check the certificate, its CA (option ca) and its name (option server_name)"},
	{"first record does not look like a TLS handshake", "it does not use TLS on this port; use redis://"},
	{"certificate required", "it requires a client certificate; set cert and key"},
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
