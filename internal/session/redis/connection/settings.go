package connection

import (
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// The limits of connections. The defaults of rueidis are for a process that does nothing
// else: half a megabyte of buffers for each connection.
const (
	dialTimeout = time.Second
	bufferBytes = 16 << 10 // bytes in each direction; a step has less than 2 KiB
	ringScale   = 10       // 2^10 commands at once on one connection
	// blockingConns is how many connections to a server may wait at once: those of
	// followers, and of writes that wait for acknowledgements.
	blockingConns = 32
	blockingIdle  = time.Minute // how long an unused one stays open
	// pingAfter is how long a connection may be idle before it is tested. If the server
	// does not respond within stuckAfter, the connection is closed, and all of its
	// commands fail.
	pingAfter  = time.Second
	stuckAfter = time.Second
	// topologyEvery is how often the layout of a Cluster is read, in addition to when a
	// change is noticed.
	topologyEvery = 5 * time.Second
)

// Settings are the location of a Redis, and how commands are sent to it.
type Settings struct {
	// Addresses are host:port of the server, of all Sentinels, or of some nodes of a
	// Cluster.
	Addresses []string
	Sentinel  string // the master's name, if Addresses are Sentinels
	Cluster   bool   // Addresses are nodes of a Cluster

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	Database                           int
	TLS                                *tls.Config // nil for plain TCP

	Timeout    time.Duration // of one command
	Acks       int           // replicas that must acknowledge a write
	AckTimeout time.Duration // how long a write waits for them
}

// Check returns an error for settings that cannot work.
func (s *Settings) Check() error {
	switch {
	case len(s.Addresses) == 0:
		return errors.New("redis: address is required")
	case s.Sentinel != "" && s.Cluster:
		return errors.New("redis: sentinel and cluster are mutually exclusive")
	case s.Sentinel == "" && !s.Cluster && len(s.Addresses) > 1:
		return errors.New("redis: several addresses require sentinel or cluster")
	case s.Cluster && s.Database != 0:
		return errors.New("redis: a Cluster has only database 0")
	default:
		return nil
	}
}

// Where returns the addresses for errors, without secrets.
func (s *Settings) Where() string { return strings.Join(s.Addresses, ", ") }

// clientOption returns the options of all connections.
func (s *Settings) clientOption() rueidis.ClientOption {
	option := rueidis.ClientOption{
		InitAddress: s.Addresses,
		Username:    s.Username,
		Password:    s.Password,
		SelectDB:    s.Database,
		TLSConfig:   s.TLS,
		ClientName:  "wxgate",

		// rueidis must not send a write twice, and callers do not wait for a repeated read.
		DisableRetry:  true,
		DisableCache:  true,
		ClientSetInfo: rueidis.DisableClientSetInfo,
		// With AlwaysPipelining, a command ends when its context does.
		AlwaysPipelining: true,

		PipelineMultiplex:   -1, // one connection for all commands that do not wait
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
