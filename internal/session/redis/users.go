package redis

import (
	"context"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis/userdata"
)

// readUser reads all data of a user except the records of sessions, in one round trip.
func (s *Store) readUser(ctx context.Context, u auth.User) (*userdata.User, error) {
	r := s.redis
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	user, err := userdata.Read(ctx, r.client, r.vault.Load(), u, func(parts ...string) string { return r.key(u.Shard(), parts...) })
	if err != nil {
		return nil, r.failed(err)
	}
	return user, nil
}
