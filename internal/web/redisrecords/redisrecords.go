// Package redisrecords keeps the short-lived records of browser sessions in Redis, for any
// number of machines. Redis deletes them when they expire.
package redisrecords

import (
	"context"
	_ "embed" // the scripts
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
	"github.com/wxgate/wxgate/internal/web"
)

// The scripts. They use only commands that the session store uses, so that the ACL user needs no
// additional right.
var (
	//go:embed lua/add.lua
	addSource string
	//go:embed lua/swap.lua
	swapSource string

	scriptAdd  = connection.NewScript("#!lua\n" + addSource)
	scriptSwap = connection.NewScript("#!lua\n" + swapSource)
)

// Records is [web.Records] in Redis.
type Records struct {
	redis  *connection.Connection
	prefix string
	now    func() time.Time
}

// New returns the records of a Redis. Keys begin with prefix; the connection must outlive them.
// The remaining life of a new record is computed with this machine's clock, and then measured
// by Redis: the clocks may differ.
func New(redis *connection.Connection, prefix string, now func() time.Time) *Records {
	return &Records{redis, prefix, now}
}

// key returns the key of a record, in a separate slot.
func (r *Records) key(id web.RecordID) string {
	return r.prefix + ":{w-" + base64.RawURLEncoding.EncodeToString(id[:]) + "}"
}

// failed returns the error of a command, with advice.
func (r *Records) failed(err error) error {
	return session.Unavailable(fmt.Errorf("records of browser sessions: %w", r.redis.Explain(err)))
}

// Add implements [web.Records]. It waits for replicas: if a failover lost a used state or ticket,
// it would be admitted again.
func (r *Records) Add(ctx context.Context, id web.RecordID, value []byte, until time.Time) error {
	left := max(until.Sub(r.now()), time.Millisecond) // Redis refuses a life of 0
	ms := strconv.FormatInt(left.Milliseconds(), 10)
	added, err := r.redis.RunAcked(ctx, scriptAdd, []string{r.key(id)}, []string{string(value), ms})
	switch {
	case err != nil:
		return r.failed(err)
	case added == 0:
		return web.ErrRecordExists
	}
	return nil
}

// Get implements [web.Records].
func (r *Records) Get(ctx context.Context, id web.RecordID) ([]byte, error) {
	value, err := r.redis.Send(ctx, r.redis.B().Get().Key(r.key(id)).Build()).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, web.ErrNoRecord
	case err != nil:
		return nil, r.failed(err)
	}
	return value, nil
}

// Swap implements [web.Records]. It waits for replicas as Add does.
func (r *Records) Swap(ctx context.Context, id web.RecordID, old, next []byte) error {
	args := []string{string(old)}
	if next != nil {
		args = append(args, string(next))
	}
	const missing, changed = 0, 2
	result, err := r.redis.RunAcked(ctx, scriptSwap, []string{r.key(id)}, args)
	switch {
	case err != nil:
		return r.failed(err)
	case result == missing:
		return web.ErrNoRecord
	case result == changed:
		return web.ErrRecordChanged
	}
	return nil
}

// Interface guards
var _ web.Records = (*Records)(nil)
