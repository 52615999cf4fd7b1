package redis

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
)

// List implements [auth.Store]; see [scan.Servers.Page] for the order of all sessions.
func (s *Store) List(ctx context.Context, q auth.Query) (page auth.Page, err error) {
	position, err := s.redis.vault.Load().OpenCursor(q)
	if err != nil {
		return auth.Page{}, err
	}
	var outcome error
	err = s.redis.observed(ctx, opList, q.User.Shard(), func() (err error) {
		if q.User != (auth.User{}) {
			page, position, err = s.userPage(ctx, q, position)
		} else {
			page, position, err = s.redis.servers().Page(ctx, q, position, s.readSessions)
		}
		if errors.Is(err, auth.ErrInvalidCursor) {
			outcome = err
			return nil
		}
		if err != nil {
			return s.redis.failed(err)
		}
		return nil
	})
	if err = cmp.Or(err, outcome); err != nil || position == nil {
		return page, err
	}
	page.Next, err = s.redis.vault.Load().SealCursor(q, position)
	return page, err
}

// userPage returns a page of a user's sessions and, if there are more, the last of them.
func (s *Store) userPage(ctx context.Context, q auth.Query, after []byte) (page auth.Page, next []byte, err error) {
	user, err := s.readUser(ctx, q.User)
	if err != nil {
		return page, nil, err
	}
	live, _ := user.Split(s.now())
	var ids []auth.SessionID
	for _, at := range slices.Backward(live) {
		ids = append(ids, at.ID)
	}
	slices.SortFunc(ids, func(a, b auth.SessionID) int { return bytes.Compare(idBytes(b), idBytes(a)) })
	ids = slices.DeleteFunc(ids, func(id auth.SessionID) bool { return after != nil && bytes.Compare(idBytes(id), after) >= 0 })
	if len(ids) > q.Limit {
		ids = ids[:q.Limit]
		next = idBytes(ids[q.Limit-1])
	}
	page.Sessions, err = s.readSessions(ctx, ids)
	return page, next, err
}

func idBytes(id auth.SessionID) []byte {
	b, _ := id.Bytes()
	return b[:]
}

// readSessions reads sessions in one round trip for each server. It skips sessions that have
// ended.
func (s *Store) readSessions(ctx context.Context, ids []auth.SessionID) ([]*auth.Session, error) {
	r := s.redis
	var commands []rueidis.Completed
	for _, id := range ids {
		commands = append(commands, r.client.B().Get().Key(r.sessionKey(id)).Build())
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	var sessions []*auth.Session
	for i, response := range r.client.DoMulti(ctx, commands...) {
		stored, ended, err := s.openSession(ids[i], response)
		if err != nil {
			return nil, err
		}
		if ended == nil {
			sessions = append(sessions, stored.Session)
		}
	}
	return sessions, nil
}
