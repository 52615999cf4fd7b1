package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// Erase implements [auth.Store]. It first deletes and revokes in one step, and then deletes
// the entries of the stream that name the user. A replica that does not know of the erasure
// yet may append further entries; other replicas delete them.
func (s *Store) Erase(ctx context.Context, u auth.User, at, until time.Time) (erased auth.Erased, err error) {
	err = s.redis.observed(ctx, opErase, u.Shard(), func() error {
		err := s.redis.settle(ctx, u.Shard(), layout.UserName(s.redis.vault.Load(), u), func() (settled bool, err error) {
			erased, settled, err = s.erase(ctx, u, at, until)
			return settled, err
		})
		if err != nil {
			return err
		}
		return s.redis.eraseEntries(ctx, u)
	})
	if err != nil {
		return auth.Erased{}, err
	}
	return erased, nil
}

func (s *Store) erase(ctx context.Context, u auth.User, at, until time.Time) (erased auth.Erased, settled bool, err error) {
	user, err := s.readUser(ctx, u)
	if err != nil {
		return erased, false, err
	}
	now := s.now()
	rev := session.RevokeErased(user.Hash, at, until, now)
	rev = session.MergeRevocations(rev, s.redis.set.OfUser(u))
	rev.NotAfter = session.Later(rev.NotAfter, user.RevokedUntil())
	erased.SessionKeys = len(user.SessionKeys(s.redis.vault.Load(), now))
	erased.Sessions = len(user.Sessions)
	st := step.New()
	st.Ends = true
	user.ExpectSessions(st)
	user.ExpectRevocations(st)
	for _, sess := range user.Sessions {
		session.ExtendRevocation(&rev, sess.ID, sess.AccessEnd)
		st.Delete(s.redis.sessionKey(sess.ID))
	}
	user.DeleteIndex(st)
	user.UncountAll(st)
	// An index lists no session that expired some time ago.
	st.ForgetEnded(s.redis.key(u.Shard(), layout.CountedSessions), now)
	for _, key := range []string{user.Keys, user.Revoked} {
		st.Delete(key)
	}
	if erased.Attempts, err = s.unnameAttempts(ctx, st, u); err != nil {
		return erased, false, err
	}
	erased.RevokedUntil = rev.Until
	settled, err = s.commit(ctx, st, rev)
	return erased, settled, err
}

// unnameAttempts moves a user's attempts to the name of the erased user, and reports whether
// any are kept: see [auth.Erased].
func (s *Store) unnameAttempts(ctx context.Context, st *step.Step, u auth.User) (kept bool, err error) {
	stored, err := s.readAttempts(ctx, u)
	if err != nil {
		return false, err
	}
	st.Expect(stored.key, stored.record)
	if stored.record == "" {
		return stored.erasedRecord != "", nil
	}
	st.Delete(stored.key)
	return true, s.putAttempts(st, stored.erasedKey, stored.erased, s.redis.openAttempts(stored))
}

// eraseEntries deletes every entry that names a user from the stream of the user's shard.
func (r *Client) eraseEntries(ctx context.Context, u auth.User) error {
	key := r.streamKey(u.Shard())
	for from := "-"; ; {
		page, err := r.client.Send(ctx, r.client.B().Xrange().Key(key).Start(from).End("+").Count(entriesRead).Build()).AsXRange()
		if err != nil {
			return r.failed(err)
		}
		var naming []namedEntry
		for _, entry := range page {
			// An entry that cannot be opened is of another store, whose key this store never had.
			record, err := r.vault.Load().Open(layout.PlaceRevocations, nil, []byte(entry.FieldValues["b"]))
			if err != nil {
				continue
			}
			if rev, err := session.DecodeRevocation(record); err == nil && rev.User == u && r.set.IsErased(rev) {
				naming = append(naming, namedEntry{entry.ID, rev})
			}
		}
		if err := r.deleteEntries(ctx, key, naming); err != nil {
			return err
		}
		if len(page) < entriesRead {
			return nil
		}
		from = "(" + page[len(page)-1].ID
	}
}

// namedEntry is a revocation in a stream that names a user who was erased later.
type namedEntry struct {
	id  string
	rev auth.Revocation
}

// deleteEntries deletes entries of a stream, and the keys of their users' revocations.
func (r *Client) deleteEntries(ctx context.Context, stream string, entries []namedEntry) error {
	if len(entries) == 0 {
		return nil
	}
	st := step.New()
	for _, entry := range entries {
		user := entry.rev.User
		st.Change("xdel", stream, entry.id)
		st.Change("outgrow", r.key(user.Shard(), "r", layout.UserName(r.vault.Load(), user)), layout.Millis(entry.rev.NotAfter))
	}
	_, err := r.write(ctx, step.ScriptEnd, st.Keys, st.Args())
	return err
}

// deleteLate deletes entries appended by a replica that did not know of the erasure. The
// entries also expire by themselves, so an error must not stop this replica from following.
func (r *Client) deleteLate(ctx context.Context, stream string, entries []namedEntry) {
	if err := r.deleteEntries(ctx, stream, entries); err != nil {
		r.opts.OnError(fmt.Errorf("deleting revocations by name of users who were erased: %w", err))
	}
}

// ofErased returns the sessions of a user who was erased in another store, which an earlier
// import added. Only the sessions themselves name their user.
func (s *Store) ofErased(ctx context.Context, rev auth.Revocation) (covered []auth.SessionID, err error) {
	err = s.redis.eachSession(ctx, func(id auth.SessionID) error {
		stored, outcome, err := s.readSession(ctx, id)
		if err != nil || outcome != nil {
			return err
		}
		if session.Covers(rev.NotAfter, id) && rev.Erased.Names(stored.User) {
			covered = append(covered, id)
		}
		return nil
	})
	return covered, err
}
