// Package redisqueue keeps queues in Redis, where any number of machines add to them and
// deliver them.
//
// A queue is a sorted set of orders by when they are due. A machine that claims an order moves
// its due time to the end of the lease: until then no other machine delivers the order, and
// afterwards another one does if the machine has died. A stream with a consumer group would not
// preserve the order: it gives a user's second message to another machine while the first one
// is retried.
package redisqueue

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

const (
	// pollEvery is how often a machine polls for messages that other machines added. A
	// machine delivers its own messages at once.
	pollEvery = time.Second

	// keepFor is when all keys expire, in case no machine is left to delete them.
	keepFor = 7 * 24 * time.Hour
)

// Store is a [queue.Store] in Redis.
type Store struct {
	redis  *connection.Connection
	limits queue.Limits
	keys   []string
}

// keyNames are the keys of a queue, with their names in lua/common.lua. All are in one slot of a
// Cluster.
var keyNames = []string{"seq", "index", "due", "entries", "attempts", "times", "places", "bytes", "dead", "deadtimes", "seen"}

// New returns the queue of a kind. Keys begin with prefix; the connection must outlive it.
func New(redis *connection.Connection, prefix, kind string, limits queue.Limits) *Store {
	s := &Store{redis: redis, limits: limits}
	for _, name := range keyNames {
		s.keys = append(s.keys, prefix+":{q-"+kind+"}:"+name)
	}
	return s
}

// The scripts. Those that settle also run if memory is full: they free more than they need.
var (
	//go:embed lua/common.lua
	common string
	//go:embed lua/append.lua
	appendSource string
	//go:embed lua/once.lua
	onceSource string
	//go:embed lua/mark.lua
	markSource string
	//go:embed lua/claim.lua
	claimSource string
	//go:embed lua/settle.lua
	settleSource string
	//go:embed lua/resend.lua
	resendSource string
	//go:embed lua/purge.lua
	purgeSource string
	//go:embed lua/status.lua
	statusSource string

	scriptAppend = connection.NewScript("#!lua\n" + common + appendSource)
	scriptOnce   = connection.NewScript("#!lua\n" + common + onceSource)
	scriptMark   = connection.NewScript("#!lua\n" + common + markSource)
	scriptClaim  = connection.NewScript("#!lua flags=allow-oom\n" + common + claimSource)
	scriptSettle = connection.NewScript("#!lua flags=allow-oom\n" + common + settleSource)
	scriptResend = connection.NewScript("#!lua\n" + common + resendSource)
	scriptPurge  = connection.NewScript("#!lua flags=allow-oom\n" + common + purgeSource)
	scriptStatus = connection.NewScript("#!lua flags=no-writes\n" + common + statusSource)
)

// failed returns the error of a command, with advice.
func (s *Store) failed(err error) error { return fmt.Errorf("the queue: %w", s.redis.Explain(err)) }

// write runs a script whose effect must survive a failover.
func (s *Store) write(ctx context.Context, script connection.Script, args []string) (int, error) {
	n, err := s.redis.RunAcked(ctx, script, s.keys, args)
	if err != nil {
		return 0, s.failed(err)
	}
	return int(n), nil
}

// added returns an entry as arguments for append.lua.
func added(e *queue.Entry) ([]string, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding a queue's entry: %w", err)
	}
	return []string{e.ID, e.Order, string(value), strconv.FormatInt(e.Size(), 10), millis(e.Enqueued)}, nil
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func lifetime() string { return strconv.FormatInt(keepFor.Milliseconds(), 10) }

// addAll runs a script that adds entries within the limits.
func (s *Store) addAll(ctx context.Context, script connection.Script, entries []*queue.Entry) (int, error) {
	args := []string{lifetime(), strconv.Itoa(s.limits.Entries), strconv.FormatInt(s.limits.Bytes, 10)}
	for _, e := range entries {
		arg, err := added(e)
		if err != nil {
			return 0, err
		}
		args = append(args, arg...)
	}
	return s.write(ctx, script, args)
}

// Append implements [queue.Store].
func (s *Store) Append(ctx context.Context, entries []*queue.Entry) (int, error) {
	return s.addAll(ctx, scriptAppend, entries)
}

// AppendOnce implements [queue.Store].
func (s *Store) AppendOnce(ctx context.Context, e *queue.Entry, within time.Duration) (bool, error) {
	arg, err := added(e)
	if err != nil {
		return false, err
	}
	n, err := s.write(ctx, scriptOnce, append([]string{
		lifetime(), strconv.Itoa(s.limits.Entries), strconv.FormatInt(s.limits.Bytes, 10),
		strconv.Itoa(max(1, s.limits.Seen)), strconv.FormatInt(within.Milliseconds(), 10),
	}, arg...))
	if n < 0 {
		return false, queue.ErrFull
	}
	return n > 0, err
}

// Mark implements [queue.Store].
func (s *Store) Mark(ctx context.Context, e *queue.Entry) error {
	args, err := added(e)
	if err == nil {
		_, err = s.write(ctx, scriptMark, append([]string{lifetime()}, args...))
	}
	return err
}

// Claim implements [queue.Store].
func (s *Store) Claim(ctx context.Context, lease time.Duration) (e *queue.Entry, wait time.Duration, err error) {
	reply, err := s.redis.Run(ctx, scriptClaim, s.keys, []string{strconv.FormatInt(lease.Milliseconds(), 10)}).AsStrSlice()
	if err != nil {
		return nil, 0, s.failed(err)
	}
	switch len(reply) {
	case 0:
		return nil, pollEvery, nil
	case 1:
		ms, err := strconv.ParseInt(reply[0], 10, 64)
		return nil, min(time.Duration(ms)*time.Millisecond, pollEvery), err
	}
	e, err = decode(reply[2], reply[1])
	if err == nil {
		e.Attempts, err = strconv.Atoi(reply[3])
	}
	return e, 0, err
}

// decode decodes an entry with its place.
func decode(value, seq string) (*queue.Entry, error) {
	e := new(queue.Entry)
	if err := json.Unmarshal([]byte(value), e); err != nil {
		return nil, fmt.Errorf("decoding a queue's entry: %w", err)
	}
	var err error
	e.Seq, err = strconv.ParseUint(strings.TrimLeft(seq, "0"), 16, 64)
	return e, err
}
