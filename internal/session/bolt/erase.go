package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
	"github.com/wxgate/wxgate/internal/session/bolt/upgrade"
)

// Erase implements [auth.Store]. A crash before it returns leaves a mark in the file, and the
// next sweep wipes the file.
func (s *Store) Erase(ctx context.Context, u auth.User, at, until time.Time) (erased auth.Erased, err error) {
	err = s.write(ctx, func(c *change) (err error) {
		erased, err = c.erase(u, at, until)
		return err
	})
	if err != nil {
		return auth.Erased{}, err
	}
	return erased, s.file.wipe(ctx)
}

func (c *change) erase(u auth.User, at, until time.Time) (erased auth.Erased, err error) {
	user, hash := c.vault.HashUser(u), c.vault.HashErased(u)
	rev := session.RevokeErased(hash, at, until, c.now)
	sessions := c.sessionsOf(user)
	erased.SessionKeys = len(c.keysOf(user, sessions))
	for _, s := range sessions {
		session.ExtendRevocation(&rev, layout.SessionID(s.id), c.accessEnd(s))
		if _, _, err := c.deleteSession(s.id); err != nil {
			return erased, err
		}
		erased.Sessions++
	}
	if err := c.file.recent.Remove(c.tx, recent.User(user[:layout.UserBytes])); err != nil {
		return erased, err
	}
	if rev, err = c.unnameRevocation(user, rev); err != nil {
		return erased, err
	}
	if err := c.revoke(rev); err != nil {
		return erased, err
	}
	if erased.Attempts, err = c.unnameAttempts(user, []byte(hash.Hash())); err != nil {
		return erased, err
	}
	erased.RevokedUntil = c.revoked[len(c.revoked)-1].Until
	mark := binary.BigEndian.AppendUint64(nil, uint64(c.tx.ID())) //nolint:gosec // G115: not negative
	return erased, c.put(layout.Meta, layout.MetaWipe, mark)
}

// unnameRevocation deletes the revocation of a user by name, and returns rev extended by it.
func (c *change) unnameRevocation(user []byte, rev auth.Revocation) (auth.Revocation, error) {
	key := append([]byte{layout.TagUser}, user...)
	old, known, err := c.revocation(key)
	if err != nil || !known {
		return rev, err
	}
	if err := c.delete(layout.Revocations, key); err != nil {
		return rev, err
	}
	return session.MergeRevocations(rev, old), c.delete(layout.Ends, append(layout.TimeKey(old.Until), key...))
}

// unnameAttempts moves a user's attempts to the hash of the erased user, and reports
// whether any are kept: see [auth.Erased].
func (c *change) unnameAttempts(user, erased []byte) (kept bool, err error) {
	if c.tx.Bucket(layout.Attempts) == nil {
		return false, nil
	}
	attempts, err := c.takeAttempts(user)
	if err != nil {
		return false, err
	}
	if attempts.Empty() {
		return !c.attempts(erased).Empty(), nil
	}
	return true, c.putAttempts(erased, attempts)
}

// revokedUntil returns the time of a user's last revocation, which covers the sessions that
// began until then; the zero time if there is none.
func (c *change) revokedUntil(u auth.User) (notAfter time.Time, err error) {
	for _, key := range [][]byte{append([]byte{layout.TagUser}, c.vault.HashUser(u)...), erasedKey(c.vault.HashErased(u))} {
		rev, known, err := c.revocation(key)
		if err != nil {
			return time.Time{}, err
		}
		if known {
			notAfter = session.Later(notAfter, rev.NotAfter)
		}
	}
	return notAfter, nil
}

func erasedKey(u auth.ErasedUser) []byte { return append([]byte{layout.TagErased}, u.Hash()...) }

// endErased ends the sessions of a user who was erased in another store, which an earlier
// import added. Only the sessions themselves name their user.
func (c *change) endErased(rev auth.Revocation) error {
	var ended [][]byte
	cursor := c.tx.Bucket(layout.Sessions).Cursor()
	for id, value := cursor.First(); id != nil; id, value = cursor.Next() {
		e, ok := layout.DecodeEntry(value)
		if !ok || !session.Covers(rev.NotAfter, layout.SessionID(id)) {
			continue
		}
		if s, err := c.openSession(id, e); err == nil && rev.Erased.Names(s.User) {
			ended = append(ended, bytes.Clone(id))
		}
	}
	for _, id := range ended {
		if err := c.endSession(id); err != nil {
			return err
		}
	}
	return nil
}

// wipe overwrites deleted records in the file, and then deletes the mark of the last erasure
// that was committed before the wipe began.
func (f *File) wipe(ctx context.Context) error {
	f.wiping.Lock()
	defer f.wiping.Unlock()
	mark, err := f.wipeMark()
	if err != nil {
		return err
	}
	// An interrupted compaction or upgrade may have left a copy of the file.
	for _, suffix := range []string{compactSuffix, upgrade.Suffix} {
		if err := database.Remove(f.path + suffix); err != nil {
			return err
		}
	}
	if err := f.db.Wipe(ctx); err != nil {
		return err
	}
	return f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
		meta := tx.Bucket(layout.Meta)
		if mark == nil || !bytes.Equal(meta.Get(layout.MetaWipe), mark) {
			return false, nil
		}
		return true, meta.Delete(layout.MetaWipe)
	})
}

// finishWipe wipes the file if an erasure was interrupted.
func (f *File) finishWipe(ctx context.Context) error {
	mark, err := f.wipeMark()
	if err != nil || mark == nil {
		return err
	}
	if err := f.wipe(ctx); err != nil {
		return fmt.Errorf("finishing an erasure: %w", err)
	}
	return nil
}

// wipeMark returns the mark of an erasure whose wipe has not finished; nil without one.
func (f *File) wipeMark() (mark []byte, err error) {
	err = database.Guard(auth.ErrStoreUnavailable, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			mark = bytes.Clone(tx.Bucket(layout.Meta).Get(layout.MetaWipe))
			return nil
		})
	})
	return mark, session.Unavailable(err)
}
