package connection

import (
	"context"
	"crypto/sha1" //nolint:gosec // G505: Redis names scripts by their SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// ErrFewAcks means that not enough replicas acknowledged a write.
var ErrFewAcks = errors.New("too few Redis replicas acknowledged the write")

// Send sends one command, with a deadline.
func (c *Connection) Send(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.Do(ctx, cmd)
}

// Run runs a script.
func (c *Connection) Run(ctx context.Context, s Script, keys, args []string) rueidis.RedisResult {
	result := c.Send(ctx, s.bySHA(c.B(), keys, args))
	if known, ok := rueidis.IsRedisErr(result.Error()); ok && known.IsNoScript() {
		return c.Send(ctx, s.whole(c.B(), keys, args))
	}
	return result
}

// RunAcked runs a script that writes. If [Settings.Acks] is set, it waits until that many
// replicas have the script's writes.
func (c *Connection) RunAcked(ctx context.Context, s Script, keys, args []string) (int64, error) {
	result, err := c.runAcked(ctx, s, keys, args)
	if err != nil {
		return 0, err
	}
	return result.AsInt64()
}

// RunAckedInts is [Connection.RunAcked] for a script that returns a list of integers.
func (c *Connection) RunAckedInts(ctx context.Context, s Script, keys, args []string) ([]int64, error) {
	result, err := c.runAcked(ctx, s, keys, args)
	if err != nil {
		return nil, err
	}
	return result.AsIntSlice()
}

func (c *Connection) runAcked(ctx context.Context, s Script, keys, args []string) (rueidis.RedisResult, error) {
	if c.Acks <= 0 {
		return c.Run(ctx, s, keys, args), nil
	}
	result, err := c.sendAcked(ctx, s.bySHA(c.B(), keys, args))
	if known, ok := rueidis.IsRedisErr(err); ok && known.IsNoScript() {
		return c.sendAcked(ctx, s.whole(c.B(), keys, args))
	}
	return result, err
}

// sendAcked sends a write and WAIT on one dedicated connection: WAIT counts the writes
// of its connection, and delays all later commands on it. A step that did nothing also
// fails if replicas are missing: the next attempt would wait as long and fail.
func (c *Connection) sendAcked(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout+c.AckTimeout)
	defer cancel()
	wait := c.B().Wait().Numreplicas(int64(c.Acks)).Timeout(c.AckTimeout.Milliseconds()).Build()
	results := c.DoMulti(ctx, cmd, wait)
	if err := results[0].Error(); err != nil {
		return results[0], err
	}
	acks, err := results[1].AsInt64()
	if err != nil {
		return results[1], err
	}
	if acks < int64(c.Acks) {
		return results[0], fmt.Errorf("%w: %d of %d within %v", ErrFewAcks, acks, c.Acks, c.AckTimeout)
	}
	return results[0], nil
}

// IsTryAgain reports whether err says that a Cluster is moving the keys of a command from
// one server to another.
func IsTryAgain(err error) bool { return strings.Contains(err.Error(), "TRYAGAIN") }

// Script is a script for Redis. It is sent by its hash. If the server does not have it,
// after a restart, a failover or SCRIPT FLUSH, its source is sent.
type Script struct{ source, sha string }

// NewScript returns a script with the given source.
func NewScript(source string) Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // G401: Redis names scripts by their SHA-1
	return Script{source: source, sha: hex.EncodeToString(sum[:])}
}

func (s Script) bySHA(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

func (s Script) whole(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Eval().Script(s.source).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}
