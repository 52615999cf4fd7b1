package bolt

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// indexed is a session as listed in the index of its user, without its entry.
type indexed struct {
	user []byte // the first bytes of the user's hash
	id   []byte
}

func (i indexed) userKey() []byte { return slices.Concat(i.user, i.id) }

// sessionsOf lists a user's sessions, oldest first, including expired sessions that were not
// swept yet.
func (c *change) sessionsOf(user []byte) []indexed {
	user = user[:layout.UserBytes]
	var sessions []indexed
	cursor := c.tx.Bucket(layout.Users).Cursor()
	for k, _ := cursor.Seek(user); k != nil && bytes.HasPrefix(k, user); k, _ = cursor.Next() {
		sessions = append(sessions, indexed{user: user, id: bytes.Clone(k[len(user):])})
	}
	for _, id := range c.recent.SessionsOf(recent.User(user)) {
		// The session may have ended since, or its login was undone.
		if c.tx.Bucket(layout.Sessions).Get(id[:]) != nil {
			sessions = append(sessions, indexed{user: user, id: bytes.Clone(id[:])})
		}
	}
	slices.SortFunc(sessions, func(a, b indexed) int { return bytes.Compare(a.id, b.id) })
	return slices.CompactFunc(sessions, func(a, b indexed) bool { return bytes.Equal(a.id, b.id) })
}

// listUser writes a recent session to the index of users.
func listUser(tx *bbolt.Tx, user, id []byte) error {
	if tx.Bucket(layout.Sessions).Get(id) == nil {
		return nil // the session has ended
	}
	if err := tx.Bucket(layout.Users).Put(indexed{user: user, id: id}.userKey(), nil); err != nil {
		return fmt.Errorf("writing to %s: %w", layout.Users, err)
	}
	return nil
}

// live reports whether one of a user's sessions has not expired. The newest usually has not.
func (c *change) live(sessions []indexed) bool {
	for _, s := range slices.Backward(sessions) {
		if at, ok := c.entry(s.id); ok && at.End.After(c.now) {
			return true
		}
	}
	return false
}

// addSession writes a new session and its entries in the indexes. others are the user's other
// sessions.
func (c *change) addSession(at indexed, s *auth.Session, sealedKeys []byte, others []indexed) error {
	e := layout.Entry{End: s.End(), Listed: s.End(), User: at.user, Person: c.person(s.UnionID), Keys: sealedKeys}
	if err := c.putSession(at.id, s, e); err != nil {
		return err
	}
	if err := c.put(layout.Ends, layout.EndKey(e.Listed, at.id), nil); err != nil {
		return err
	}
	added := session.Counts{Sessions: 1}
	if len(others) == 0 {
		added.Users = 1
	}
	c.file.counter.Add(added)
	return c.file.recent.Add(c.tx, recent.User(at.user), recent.Person(e.Person), recent.Session(at.id))
}

// putSession seals a session into its entry, without its ID, which is the key.
func (c *change) putSession(id []byte, s *auth.Session, e layout.Entry) error {
	stored := *s
	stored.ID = ""
	record, err := session.EncodeSession(&stored)
	if err != nil {
		return err
	}
	if e.Session, err = c.vault.Seal(layout.Sessions, id, record); err != nil {
		return err
	}
	return c.put(layout.Sessions, id, e.Encode())
}

// saveSession writes an existing session. If its end moved back, the sweep that finds the old
// end updates the index of ends, so that a refresh writes only one entry.
func (c *change) saveSession(id []byte, s *auth.Session) error {
	e, ok := c.entry(id)
	if !ok {
		return session.ErrCorrupt
	}
	e.End = s.End()
	if e.End.Before(e.Listed) {
		if err := c.list(id, &e, e.End); err != nil {
			return err
		}
	}
	return c.putSession(id, s, e)
}

// list moves a session in the index of ends. The caller writes its entry.
func (c *change) list(id []byte, e *layout.Entry, end time.Time) error {
	if err := c.delete(layout.Ends, layout.EndKey(e.Listed, id)); err != nil {
		return err
	}
	e.Listed = end
	return c.put(layout.Ends, layout.EndKey(end, id), nil)
}

// endSession removes a session and its index entries. If it was the newest of its user, the
// session keys pass to the previous session.
func (c *change) endSession(id []byte) error {
	e, left, err := c.deleteSession(id)
	if err != nil || len(left) == 0 || bytes.Compare(left[len(left)-1].id, id) > 0 {
		return err
	}
	return c.putKeys(left, e.Keys)
}

// deleteSession removes a session and its index entries, and its user's keys if it has them.
// It returns the entry of the session, and the user's remaining sessions.
func (c *change) deleteSession(id []byte) (e layout.Entry, left []indexed, err error) {
	e, ok := c.entry(id)
	if !ok {
		return e, nil, nil
	}
	if err := c.delete(layout.Sessions, id); err != nil {
		return e, nil, err
	}
	if err := c.delete(layout.Users, indexed{user: e.User, id: id}.userKey()); err != nil {
		return e, nil, err
	}
	if err := c.delete(layout.Ends, layout.EndKey(e.Listed, id)); err != nil {
		return e, nil, err
	}
	left = c.sessionsOf(e.User)
	deleted := session.Counts{Sessions: -1}
	if len(left) == 0 {
		deleted.Users = -1
	}
	c.file.counter.Add(deleted)
	return e, left, c.unlistPerson(e, left)
}

// accessEnd returns when the last access token of a session expires. No token outlives its
// session, so the session's end is used if the session cannot be read.
func (c *change) accessEnd(s indexed) time.Time {
	e, _ := c.entry(s.id)
	sess, err := c.openSession(s.id, e)
	if err != nil {
		return e.End
	}
	return sess.AccessEnd
}
