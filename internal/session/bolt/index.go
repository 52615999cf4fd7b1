package bolt

import (
	"bytes"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// indexed is a session as its user's index knows it, without opening its record.
type indexed struct {
	user []byte
	id   []byte
	end  time.Time
}

func (i indexed) userKey() []byte { return append(bytes.Clone(i.user), i.id...) }

func (i indexed) endKey() []byte { return append(append(timeKey(i.end), tagEnd), i.id...) }

// sessionsOf lists a user's sessions, the first begun first, including those
// whose time is over and that were not swept yet.
func (c *change) sessionsOf(user []byte) []indexed {
	var sessions []indexed
	cursor := c.tx.Bucket(bucketUsers).Cursor()
	for k, v := cursor.Seek(user); k != nil && bytes.HasPrefix(k, user); k, v = cursor.Next() {
		sessions = append(sessions, indexed{user: user, id: bytes.Clone(k[len(user):]), end: keyTime(v)})
	}
	return sessions
}

// live reports whether one of a user's sessions is not over.
func (c *change) live(sessions []indexed) bool {
	for _, s := range sessions {
		if s.end.After(c.now) {
			return true
		}
	}
	return false
}

// putSession writes a session and its places in the indexes.
func (c *change) putSession(at indexed, s *auth.Session) error {
	record, err := session.EncodeSession(s)
	if err != nil {
		return err
	}
	if err := c.putSealed(bucketSessions, at.id, record); err != nil {
		return err
	}
	if err := c.put(bucketUsers, at.userKey(), timeKey(at.end)); err != nil {
		return err
	}
	return c.put(bucketEnds, at.endKey(), at.user)
}

// moveSession writes a session that was there, and whose end may have moved.
func (c *change) moveSession(was indexed, s *auth.Session) error {
	if err := c.delete(bucketEnds, was.endKey()); err != nil {
		return err
	}
	return c.putSession(indexed{user: was.user, id: was.id, end: s.End()}, s)
}

// deleteSession removes a session from everywhere, and leaves what hangs on its
// user to [change.tidyUser].
func (c *change) deleteSession(s indexed) error {
	if err := c.delete(bucketSessions, s.id); err != nil {
		return err
	}
	if err := c.delete(bucketUsers, s.userKey()); err != nil {
		return err
	}
	if err := c.delete(bucketEnds, s.endKey()); err != nil {
		return err
	}
	return nil
}

// tidyUser forgets the keys of a user who has no live session left. It comes
// after each removal of a session.
func (c *change) tidyUser(user []byte) error {
	if c.live(c.sessionsOf(user)) {
		return nil
	}
	return c.delete(bucketKeys, user)
}

// accessEnd is when the last access token of a session expires. No token
// outlives its session, so the end of one that cannot be read will do.
func (c *change) accessEnd(s indexed) time.Time {
	record, err := c.getSealed(bucketSessions, s.id)
	if err != nil || record == nil {
		return s.end
	}
	sess, err := session.DecodeSession(record)
	if err != nil {
		return s.end
	}
	return sess.AccessEnd
}
