package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// entry is the value of a session. What a sweep needs is in front of what is sealed: a
// sweep has no root secret.
//
//	end (8) | listed (8) | first bytes of the user's hash (16) | size of keys (2) |
//	keys (sealed) | session (sealed)
//
// The newest session of a user has the user's session keys, which are then written with
// it. Older ones keep those that they had, and nothing reads them. A sweep that removes
// the newest passes its keys on, so they are sealed for the user and not for the session.
type entry struct {
	end    time.Time
	listed time.Time // where the index of ends has it: at its end, or earlier
	user   []byte
	keys   []byte // empty without any
	// session is the sealed session.
	session []byte
}

const entryHead = timeKeyBytes + timeKeyBytes + indexUserBytes + 2

func (e entry) encode() []byte {
	size := binary.BigEndian.AppendUint16(nil, uint16(len(e.keys))) //nolint:gosec // G115: five keys of 128 characters
	return slices.Concat(timeKey(e.end), timeKey(e.listed), e.user, size, e.keys, e.session)
}

// decodeEntry copies nothing: what it returns lives as long as value.
func decodeEntry(value []byte) (e entry, ok bool) {
	if len(value) < entryHead {
		return entry{}, false
	}
	user, size := value[2*timeKeyBytes:][:indexUserBytes], int(binary.BigEndian.Uint16(value[entryHead-2:]))
	if len(value) < entryHead+size {
		return entry{}, false
	}
	return entry{
		end: keyTime(value), listed: keyTime(value[timeKeyBytes:]), user: user,
		keys: value[entryHead:][:size], session: value[entryHead+size:],
	}, true
}

// entry reads a copy of a session's entry.
func (c *change) entry(id []byte) (e entry, ok bool) {
	return decodeEntry(bytes.Clone(c.tx.Bucket(bucketSessions).Get(id)))
}

// openSession decrypts the session of an entry.
func (c *change) openSession(id []byte, e entry) (*auth.Session, error) {
	record, err := c.vault.Open(bucketSessions, id, e.session)
	if err != nil {
		return nil, err
	}
	s, err := session.DecodeSession(record)
	if err != nil {
		return nil, err
	}
	s.ID = sessionID(id) // sealed in this place, it is of no other
	return s, nil
}

// keyPlace is the name of the place that session keys are sealed into, beside the user's
// hash: that of the bucket which had them in schema 1.
var keyPlace = []byte("keys")

// keysOf reads a user's session keys; none if all of the user's sessions have ended.
func (c *change) keysOf(user []byte, sessions []indexed) []auth.SessionKey {
	if !c.live(sessions) {
		return nil
	}
	e, _ := c.entry(sessions[len(sessions)-1].id)
	return c.vault.OpenKeys(keyPlace, user, e.keys)
}

// replaceKeys writes the keys of a user who has a session.
func (c *change) replaceKeys(user []byte, sessions []indexed, keys []auth.SessionKey) error {
	sealed, err := c.vault.SealKeys(keyPlace, user, keys)
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
	e.keys = sealed
	return c.put(bucketSessions, newest.id, e.encode())
}
