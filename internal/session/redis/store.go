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
)

// errOtherShard is a session that Redis would not find with its user: its ID was
// made for another user, or by a wxgate that did not yet put the shard in.
var errOtherShard = errors.New("session ID: wrong shard for the user")

// Store is an [auth.Store] over a [Client].
//
// An operation reads, decides by the rules that every store has, and writes with
// one script, which does nothing when what was read has changed since; then it
// begins again. What returned nil is on as many servers as the configuration
// asks for, and on the disk as Redis is configured.
type Store struct {
	redis *Client
	now   func() time.Time
	box   *seal.Box // opens and seals the store's own key
	// resealed is whether the store is known to open with the newest root
	// secret alone.
	resealed atomic.Bool
}

// commit carries out a step; settled is false when something it checks does not
// hold any more. The revocations are in force when it returns.
func (s *Store) commit(ctx context.Context, st *step, revs ...auth.Revocation) (settled bool, err error) {
	if err := s.reseal(ctx); err != nil {
		return false, err
	}
	now := s.now()
	for _, rev := range revs {
		if err := s.redis.revoke(st, rev, now); err != nil {
			return false, err
		}
	}
	script := scriptStep
	if st.ends {
		script = scriptEnd
	}
	settled, err = s.redis.write(ctx, script, st.keys, st.args())
	if err != nil || !settled {
		return false, err
	}
	for _, rev := range revs {
		s.redis.set.Add(rev)
		s.redis.recent.add(rev)
	}
	return true, nil
}

// revoke adds a revocation to a step: to the stream that replicas follow and, of
// a user, to where Create looks.
func (r *Client) revoke(st *step, rev auth.Revocation, now time.Time) error {
	record, err := session.EncodeRevocation(rev)
	if err != nil {
		return err
	}
	v := r.vault.Load()
	sealed, err := v.Seal(placeRevocations, nil, record)
	if err != nil {
		return err
	}
	life := rev.Until.Sub(now)
	shard := shardOf(rev)
	st.change("revoke", r.streamKey(shard), string(sealed), millis(life+expirySlack), unixMillis(now), r.replica)
	if rev.User != (auth.User{}) {
		st.grow(r.key(shard, "r", userName(v, rev.User)), rev.NotAfter.UnixMilli(), life)
	}
	return nil
}

// shardOf is where a revocation belongs. Signing keys are few and all in one.
func shardOf(rev auth.Revocation) byte {
	switch {
	case rev.Session != "":
		return rev.Session.Shard()
	case rev.User != (auth.User{}):
		return rev.User.Shard()
	default:
		return 0
	}
}

// heldSession is a session as it was read.
type heldSession struct {
	*auth.Session
	key    string
	sealed string
}

// readSession reads one whose time is not over. One that cannot be read is over:
// its client logs in again silently, where any other answer would keep it out.
// answer is [auth.ErrNoSession]; err is that Redis failed.
func (s *Store) readSession(ctx context.Context, id auth.SessionID) (held heldSession, answer, err error) {
	r := s.redis
	held.key = r.sessionKey(id)
	held.sealed, err = r.client.Send(ctx, r.client.B().Get().Key(held.key).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return held, fmt.Errorf("%w: %s", auth.ErrNoSession, id), nil
	}
	if err != nil {
		return held, nil, r.failed(err)
	}
	record, err := r.vault.Load().Open(placeSessions, []byte(id), []byte(held.sealed))
	if err != nil {
		return held, fmt.Errorf("%w: %s cannot be read: %w", auth.ErrNoSession, id, err), nil
	}
	if held.Session, err = session.DecodeSession(record); err != nil {
		return held, fmt.Errorf("%w: %s: %w", auth.ErrNoSession, id, err), nil
	}
	if held.Ended(s.now()) {
		return held, fmt.Errorf("%w: %s ended at %v", auth.ErrNoSession, id, held.End().UTC()), nil
	}
	// A failover of Redis may bring back what was ended just before it. Its tokens
	// are refused, so a refresh must not yield more of them.
	if r.set.Revoked(&auth.Identity{User: held.User, Session: id}) {
		return held, fmt.Errorf("%w: %s was revoked", auth.ErrNoSession, id), nil
	}
	return held, nil, nil
}

// putSession adds the record of a session to a step, and its line in the index
// of its user.
func (s *Store) putSession(st *step, user string, sess *auth.Session, now time.Time) error {
	record, err := session.EncodeSession(sess)
	if err != nil {
		return err
	}
	r := s.redis
	sealed, err := r.vault.Load().Seal(placeSessions, []byte(sess.ID), record)
	if err != nil {
		return err
	}
	shard, life := sess.User.Shard(), sess.End().Sub(now)
	index := r.key(shard, "u", user)
	st.set(r.sessionKey(sess.ID), string(sealed), life)
	st.setField(index, string(sess.ID), indexLine(sess))
	st.setField(index, fieldVersion, newVersion())
	st.keep(index, life)
	st.keep(r.key(shard, "k", user), life)
	return nil
}
