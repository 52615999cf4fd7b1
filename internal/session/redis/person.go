package redis

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/scan"
)

// UsersOf implements [auth.Store]. A session written by an older wxgate is found only after
// its next refresh.
func (s *Store) UsersOf(ctx context.Context, u auth.UnionID) ([]auth.User, error) {
	users := make(map[auth.User]bool)
	err := s.redis.observed(ctx, opUsersOf, 0, func() error {
		sessions, err := s.sessionsOf(ctx, u)
		if err != nil {
			return s.redis.failed(err)
		}
		for _, sess := range sessions {
			if sess.UnionID == u {
				users[sess.User] = true
			}
		}
		return nil
	})
	return slices.Collect(maps.Keys(users)), err
}

// sessionsOf returns the sessions of the users who are listed for a unionid.
func (s *Store) sessionsOf(ctx context.Context, u auth.UnionID) ([]*auth.Session, error) {
	indexes, err := s.indexesOf(ctx, u)
	if err != nil || len(indexes) == 0 {
		return nil, err
	}
	fields, err := scan.Fields(ctx, s.redis.client, s.redis.cfg.Timeout, indexes)
	var ids []auth.SessionID
	for _, field := range slices.Concat(fields...) {
		if field != layout.FieldVersion && !strings.HasPrefix(field, layout.FieldPerson) {
			ids = append(ids, auth.SessionID(field))
		}
	}
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return s.readSessions(ctx, ids)
}

// indexesOf returns the keys of the hashes of a person's users.
func (s *Store) indexesOf(ctx context.Context, u auth.UnionID) (indexes []string, err error) {
	person := layout.PersonName(s.redis.vault.Load(), u)
	var keys []string
	for shard := range byte(layout.HashTags) {
		keys = append(keys, s.redis.key(shard, "p", person))
	}
	users, err := scan.Fields(ctx, s.redis.client, s.redis.cfg.Timeout, keys)
	for shard, names := range users {
		for _, name := range names {
			indexes = append(indexes, s.redis.key(byte(shard), "u", name))
		}
	}
	return indexes, err
}
