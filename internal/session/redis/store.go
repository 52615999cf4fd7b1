package redis

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// errOtherShard is returned for a session ID with the shard of another user, or from a version
// of wxgate that did not include the shard in session IDs.
var errOtherShard = errors.New("session ID: wrong shard for the user")

// Store is an [auth.Store] over a [Client].
//
// An operation reads, decides by the rules of all stores, and writes with one script. If
// what was read has changed, the script changes nothing, and the operation starts again. Once
// an operation returns nil, its write is on as many servers as the configuration requires,
// and on disk as Redis is configured.
type Store struct {
	redis *Client
	now   func() time.Time
	box   *seal.Box // seals the store's key
	// resealed is true once the store's key is sealed with the newest root secret.
	resealed atomic.Bool
}

// commit runs a step; settled is false if one of its checks failed. The revocations are
// enforced when it returns.
func (s *Store) commit(ctx context.Context, st *step.Step, revs ...auth.Revocation) (settled bool, err error) {
	if err := s.reseal(ctx); err != nil {
		return false, err
	}
	now := s.now()
	for _, rev := range revs {
		if err := s.redis.revoke(st, rev, now); err != nil {
			return false, err
		}
	}
	script := step.Script
	if st.Ends {
		script = step.ScriptEnd
	}
	settled, err = s.redis.write(ctx, script, st.Keys, st.Args())
	if err != nil || !settled {
		return false, err
	}
	for _, rev := range revs {
		s.redis.set.Add(rev)
		s.redis.recent.Add(rev, recentFor)
	}
	return true, nil
}

// revoke adds a revocation to a step: to the stream that replicas follow and, if it is of a
// user, to the key that Create checks.
func (r *Client) revoke(st *step.Step, rev auth.Revocation, now time.Time) error {
	record, err := session.EncodeRevocation(rev)
	if err != nil {
		return err
	}
	v := r.vault.Load()
	sealed, err := v.Seal(layout.PlaceRevocations, nil, record)
	if err != nil {
		return err
	}
	life := rev.Until.Sub(now)
	shard := shardOf(rev)
	st.Change("revoke", r.streamKey(shard), string(sealed), step.Millis(life+step.Slack), layout.Millis(now), r.replica)
	if rev.User != (auth.User{}) {
		st.Grow(r.key(shard, "r", layout.UserName(v, rev.User)), rev.NotAfter.UnixMilli(), life)
	}
	if rev.Erased != "" {
		st.Grow(r.key(shard, "r", layout.ErasedName(rev.Erased)), rev.NotAfter.UnixMilli(), life)
	}
	return nil
}

// shardOf returns the shard of a revocation. The revocations of signing keys are all in one
// shard.
func shardOf(rev auth.Revocation) byte {
	switch {
	case rev.Session != "":
		return rev.Session.Shard()
	case rev.User != (auth.User{}):
		return rev.User.Shard()
	case rev.Erased != "":
		return rev.Erased.Shard()
	default:
		return 0
	}
}

// storedSession is a session that was read from Redis.
type storedSession struct {
	*auth.Session
	key    string
	sealed string
}

// readSession reads a session that has not ended. A session that cannot be decoded counts as
// ended: its client then logs in again silently, and any other error would lock it out.
// outcome is [auth.ErrNoSession] or nil; err is an error of Redis.
func (s *Store) readSession(ctx context.Context, id auth.SessionID) (stored storedSession, outcome, err error) {
	r := s.redis
	return s.openSession(id, r.client.Send(ctx, r.client.B().Get().Key(r.sessionKey(id)).Build()))
}

// openSession is readSession with the response of Redis.
func (s *Store) openSession(id auth.SessionID, response rueidis.RedisResult) (stored storedSession, outcome, err error) {
	r := s.redis
	stored.key = r.sessionKey(id)
	stored.sealed, err = response.ToString()
	if rueidis.IsRedisNil(err) {
		return stored, fmt.Errorf("%w: %s", auth.ErrNoSession, id), nil
	}
	if err != nil {
		return stored, nil, r.failed(err)
	}
	if end, ok := layout.ParseReplaced(stored.sealed); ok && end.After(s.now()) {
		return stored, fmt.Errorf("%w: %w: %s", auth.ErrNoSession, auth.ErrSessionReplaced, id), nil
	}
	record, err := r.vault.Load().Open(layout.PlaceSessions, []byte(id), []byte(stored.sealed))
	if err != nil {
		return stored, fmt.Errorf("%w: %s cannot be read: %w", auth.ErrNoSession, id, err), nil
	}
	if stored.Session, err = session.DecodeSession(record); err != nil {
		return stored, fmt.Errorf("%w: %s: %w", auth.ErrNoSession, id, err), nil
	}
	if stored.Ended(s.now()) {
		return stored, fmt.Errorf("%w: %s ended at %v", auth.ErrNoSession, id, stored.End().UTC()), nil
	}
	// A failover of Redis may restore a session that was ended just before. Its tokens are
	// refused, and a refresh must not return new ones.
	if r.set.Revoked(&auth.Identity{User: stored.User, Session: id}) {
		return stored, fmt.Errorf("%w: %s was revoked", auth.ErrNoSession, id), nil
	}
	return stored, nil, nil
}

// putSession adds to a step the record of a session, and its line in the user's index.
func (s *Store) putSession(st *step.Step, user string, sess *auth.Session, now time.Time) error {
	record, err := session.EncodeSession(sess)
	if err != nil {
		return err
	}
	r := s.redis
	sealed, err := r.vault.Load().Seal(layout.PlaceSessions, []byte(sess.ID), record)
	if err != nil {
		return err
	}
	shard, life := sess.User.Shard(), sess.End().Sub(now)
	index := r.key(shard, "u", user)
	st.Set(r.sessionKey(sess.ID), string(sealed), life)
	st.SetField(index, string(sess.ID), layout.IndexLine(sess))
	st.SetField(index, layout.FieldVersion, layout.NewVersion())
	st.Keep(index, life)
	st.Keep(r.key(shard, "k", user), life)
	st.Count(r.key(shard, layout.CountedSessions), r.key(shard, layout.CountedUsers), string(sess.ID), user, sess.End(), now)
	if sess.UnionID != "" {
		person := layout.PersonName(r.vault.Load(), sess.UnionID)
		st.SetField(index, layout.FieldPerson+person, "1")
		st.ListPerson(r.key(shard, "p", person), user, life)
	}
	return nil
}
