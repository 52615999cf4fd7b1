package bolt

import (
	"bytes"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// entry reads a copy of a session's entry.
func (c *change) entry(id []byte) (e layout.Entry, ok bool) {
	return layout.DecodeEntry(bytes.Clone(c.tx.Bucket(layout.Sessions).Get(id)))
}

// openSession decrypts the session of an entry.
func (c *change) openSession(id []byte, e layout.Entry) (*auth.Session, error) {
	record, err := c.vault.Open(layout.Sessions, id, e.Session)
	if err != nil {
		return nil, err
	}
	s, err := session.DecodeSession(record)
	if err != nil {
		return nil, err
	}
	s.ID = layout.SessionID(id) // it was sealed for this place and no other
	return s, nil
}

// keysOf reads a user's session keys; none if all sessions of the user have ended.
func (c *change) keysOf(user []byte, sessions []indexed) []auth.SessionKey {
	if !c.live(sessions) {
		return nil
	}
	e, _ := c.entry(sessions[len(sessions)-1].id)
	return c.vault.OpenKeys(layout.KeyPlace, user, e.Keys)
}

// replaceKeys writes the keys of a user who has a session.
func (c *change) replaceKeys(user []byte, sessions []indexed, keys []auth.SessionKey) error {
	sealed, err := c.vault.SealKeys(layout.KeyPlace, user, keys)
	if err != nil {
		return err
	}
	return c.putKeys(sessions, sealed)
}

// putKeys writes a user's sealed keys to the newest of the user's sessions.
func (c *change) putKeys(sessions []indexed, sealed []byte) error {
	newest := sessions[len(sessions)-1]
	e, ok := c.entry(newest.id)
	if !ok {
		return session.ErrCorrupt
	}
	e.Keys = sealed
	return c.put(layout.Sessions, newest.id, e.Encode())
}
