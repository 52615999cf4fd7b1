package redisqueue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// Done implements [queue.Store].
func (s *Store) Done(ctx context.Context, e *queue.Entry) error { return s.settle(ctx, e, "done") }

// Retry implements [queue.Store].
func (s *Store) Retry(ctx context.Context, e *queue.Entry, order string) error {
	again := *e
	again.Order = order
	value, err := json.Marshal(&again)
	if err != nil {
		return fmt.Errorf("encoding a queue's entry: %w", err)
	}
	wait := max(0, time.Until(e.Next))
	if e.Next.IsZero() {
		wait = 0
	}
	return s.settle(ctx, e, "retry", order, string(value), strconv.FormatInt(wait.Milliseconds(), 10))
}

// settle runs settle.lua. It does not wait for replicas: if a failover loses the step, the
// message is delivered again.
func (s *Store) settle(ctx context.Context, e *queue.Entry, verdict string, args ...string) error {
	args = append([]string{verdict, e.ID, strconv.Itoa(e.Attempts)}, args...)
	if err := s.redis.Run(ctx, scriptSettle, s.keys, args).Error(); err != nil {
		return s.failed(err)
	}
	return nil
}

// Bury implements [queue.Store].
func (s *Store) Bury(ctx context.Context, e *queue.Entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding a queue's entry: %w", err)
	}
	return s.settle(ctx, e, "bury", string(value), strconv.FormatUint(e.Seq, 16), millis(e.Enqueued), strconv.Itoa(s.limits.Dead), lifetime())
}

// Dead implements [queue.Store].
func (s *Store) Dead(ctx context.Context) ([]*queue.Entry, error) {
	letters, err := s.redis.Send(ctx, s.redis.B().Hgetall().Key(s.keys[slices.Index(keyNames, "dead")]).Build()).AsStrMap()
	if err != nil {
		return nil, s.failed(err)
	}
	dead := make([]*queue.Entry, 0, len(letters))
	for _, letter := range letters {
		seq, value, _ := strings.Cut(letter, ":")
		e, err := decode(value, seq)
		if err != nil {
			return nil, err
		}
		dead = append(dead, e)
	}
	slices.SortFunc(dead, func(a, b *queue.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return dead, nil
}

// Resend implements [queue.Store].
func (s *Store) Resend(ctx context.Context, ids ...string) (resent int, err error) {
	dead, err := s.Dead(ctx)
	if err != nil {
		return 0, err
	}
	var letters []*queue.Entry
	for _, e := range dead {
		if len(ids) == 0 || slices.Contains(ids, e.ID) {
			letters = append(letters, e.Reborn())
		}
	}
	if len(letters) == 0 {
		return 0, nil
	}
	return s.addAll(ctx, scriptResend, letters)
}

// Purge implements [queue.Store].
func (s *Store) Purge(ctx context.Context, until time.Time) error {
	for {
		n, err := s.redis.Run(ctx, scriptPurge, s.keys, []string{millis(until)}).AsInt64()
		if err != nil {
			return s.failed(err)
		}
		if n == 0 {
			return nil
		}
	}
}

// Status implements [queue.Store].
func (s *Store) Status(ctx context.Context) (queue.Status, error) {
	reply, err := s.redis.Run(ctx, scriptStatus, s.keys, nil).AsIntSlice()
	if err != nil || len(reply) != 4 {
		return queue.Status{}, s.failed(err)
	}
	status := queue.Status{Entries: int(reply[0]), Bytes: reply[1], Dead: int(reply[3])}
	if reply[2] > 0 {
		status.Oldest = time.UnixMilli(reply[2])
	}
	return status, nil
}
