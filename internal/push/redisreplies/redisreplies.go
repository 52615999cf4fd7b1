// Package redisreplies keeps the replies of services in Redis, for all machines.
package redisreplies

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

// Store implements push.Shared. It is safe for concurrent use.
type Store struct {
	redis  *connection.Connection
	prefix string
}

// New returns the replies below a prefix of keys.
func New(redis *connection.Connection, prefix string) *Store {
	return &Store{redis: redis, prefix: prefix}
}

func (s *Store) key(id string) string { return s.prefix + ":{reply-" + id + "}" }

// Keep implements push.Shared.
func (s *Store) Keep(ctx context.Context, id string, sealed []byte, life time.Duration) error {
	set := s.redis.B().Set().Key(s.key(id)).Value(rueidis.BinaryString(sealed)).Nx().PxMilliseconds(life.Milliseconds()).Build()
	if err := s.redis.Send(ctx, set).Error(); err != nil && !rueidis.IsRedisNil(err) { // nil: there already is a reply
		return fmt.Errorf("keeping a reply: %w", s.redis.Explain(err))
	}
	return nil
}

// Kept implements push.Shared.
func (s *Store) Kept(ctx context.Context, id string) ([]byte, error) {
	sealed, err := s.redis.Send(ctx, s.redis.B().Get().Key(s.key(id)).Build()).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading a reply: %w", s.redis.Explain(err))
	}
	return sealed, nil
}
