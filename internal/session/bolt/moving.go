package bolt

import (
	"bytes"
	"context"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// Export calls do with everything that has not expired: revocations first, so that an import
// never has a revoked session without its revocation. It reads one state of the file,
// whatever is written meanwhile; the file grows until Export has finished.
func (s *Store) Export(ctx context.Context, do func(session.Entry) error) error {
	return s.read(ctx, func(c *change) error {
		err := c.eachRevocation(func(_ []byte, rev auth.Revocation) error {
			return session.EmitEntry(ctx, do, session.Entry{Revocation: &rev})
		})
		if err != nil {
			return err
		}
		cursor := c.tx.Bucket(layout.Sessions).Cursor()
		for id, value := cursor.First(); id != nil; id, value = cursor.Next() {
			e, ok := layout.DecodeEntry(value)
			if !ok {
				continue
			}
			if err := c.exportSession(ctx, do, id, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportSession also exports the records of the session's user, with the user's newest
// session, so that the user has a session where the records are imported.
func (c *change) exportSession(ctx context.Context, do func(session.Entry) error, id []byte, e layout.Entry) error {
	sess, err := c.openSession(id, e)
	if err != nil {
		return nil //nolint:nilerr // the client of an unreadable session logs in again
	}
	if !sess.Ended(c.now) {
		if err := session.EmitEntry(ctx, do, session.Entry{Session: sess}); err != nil {
			return err
		}
	}
	user := c.vault.HashUser(sess.User)
	sessions := c.sessionsOf(user)
	if len(sessions) == 0 || !bytes.Equal(sessions[len(sessions)-1].id, id) {
		return nil
	}
	if keys := c.keysOf(user, sessions); len(keys) > 0 {
		if err := session.EmitEntry(ctx, do, session.Entry{User: sess.User, Keys: keys}); err != nil {
			return err
		}
	}
	if attempts := c.attempts(user); c.live(sessions) && session.AttemptsActive(attempts, c.now) {
		return session.EmitEntry(ctx, do, session.Entry{User: sess.User, Attempts: attempts})
	}
	return nil
}

// Import imports an entry that another store exported.
func (s *Store) Import(ctx context.Context, e session.Entry) error {
	return s.ImportAll(ctx, []session.Entry{e})
}

// ImportAll is Import of many entries in one commit, with one sync of the disk.
func (s *Store) ImportAll(ctx context.Context, entries []session.Entry) error {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return session.Unavailable(err)
		}
	}
	return s.write(ctx, func(c *change) error {
		for _, e := range entries {
			if err := c.importEntry(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *change) importEntry(e session.Entry) error {
	switch {
	case e.Session != nil:
		return c.importSession(e.Session)
	case e.Keys != nil:
		user := c.vault.HashUser(e.User)
		sessions := c.sessionsOf(user)
		if !c.live(sessions) {
			return nil
		}
		return c.replaceKeys(user, sessions, session.MergeKeys(c.keysOf(user, sessions), e.Keys))
	case e.Attempts != nil:
		return c.updateAttempts(e.User, func(a *auth.Attempts) { session.MergeAttempts(a, e.Attempts) })
	default:
		return c.importRevocation(*e.Revocation)
	}
}

func (c *change) importSession(s *auth.Session) error {
	if s.Ended(c.now) {
		return nil
	}
	user := c.vault.HashUser(s.User)
	notAfter, err := c.revokedUntil(s.User)
	if err != nil || !notAfter.IsZero() && session.Covers(notAfter, s.ID) {
		return err
	}
	id, err := layout.SessionKey(s.ID)
	if err != nil {
		return err
	}
	if _, known, err := c.revocation(append([]byte{layout.TagSession}, id...)); err != nil || known {
		return err
	}
	was, err := c.session(s.ID)
	if err != nil {
		_, err := c.create(user, s, auth.SessionKey{}, auth.SessionLimit{})
		return err
	}
	if !session.IsNewer(s, was) {
		return nil
	}
	return c.saveSession(id, s)
}

// importRevocation also ends the revoked sessions that an earlier import added.
func (c *change) importRevocation(rev auth.Revocation) error {
	if !rev.Until.After(c.now) {
		return nil
	}
	if err := c.revoke(rev); err != nil {
		return err
	}
	var owner auth.User
	switch {
	case rev.Session != "":
		s, err := c.session(rev.Session)
		if err != nil {
			return nil //nolint:nilerr // the session is not in this store
		}
		owner = s.User
	case rev.User != (auth.User{}):
		owner = rev.User
	case rev.Erased != "":
		return c.endErased(rev)
	default:
		return nil
	}
	for _, at := range c.sessionsOf(c.vault.HashUser(owner)) {
		if id := layout.SessionID(at.id); id != rev.Session && (rev.Session != "" || !session.Covers(rev.NotAfter, id)) {
			continue
		}
		if err := c.endSession(at.id); err != nil {
			return err
		}
	}
	return nil
}
