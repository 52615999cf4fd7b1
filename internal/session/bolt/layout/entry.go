package layout

import (
	"encoding/binary"
	"slices"
	"time"
)

// Entry is the value of a session. The part that a sweep needs is in front of the sealed
// part: a sweep has no root secret.
//
//	end (8) | listed (8) | first bytes of the user's hash (16) | first bytes of the hash of
//	the unionid (8) | size of keys (2) | keys (sealed) | session (sealed)
//
// The newest session of a user has the user's session keys, which are then written with it.
// Older sessions keep their earlier copies, which are never read. A sweep that removes the
// newest session passes its keys on, so the keys are sealed for the user and not for the
// session.
type Entry struct {
	End    time.Time
	Listed time.Time // its time in the index of ends: at its end, or earlier
	User   []byte
	Person []byte // zeros without a unionid
	Keys   []byte // empty if there are none
	// Session is the sealed session.
	Session []byte
}

const entryHead = TimeBytes + TimeBytes + UserBytes + PersonBytes + 2

// Encode returns the value.
func (e Entry) Encode() []byte {
	size := binary.BigEndian.AppendUint16(nil, uint16(len(e.Keys))) //nolint:gosec // G115: five keys of 128 characters
	return slices.Concat(TimeKey(e.End), TimeKey(e.Listed), e.User, e.Person, size, e.Keys, e.Session)
}

// DecodeEntry copies nothing: its result is valid as long as value.
func DecodeEntry(value []byte) (e Entry, ok bool) {
	if len(value) < entryHead {
		return Entry{}, false
	}
	user, size := value[2*TimeBytes:][:UserBytes], int(binary.BigEndian.Uint16(value[entryHead-2:]))
	person := value[2*TimeBytes+UserBytes:][:PersonBytes]
	if len(value) < entryHead+size {
		return Entry{}, false
	}
	return Entry{
		End: KeyTime(value), Listed: KeyTime(value[TimeBytes:]), User: user, Person: person,
		Keys: value[entryHead:][:size], Session: value[entryHead+size:],
	}, true
}

// EndKey returns the key of a session in the index of ends.
func EndKey(end time.Time, id []byte) []byte { return append(append(TimeKey(end), TagEnd), id...) }

// NoPerson is the person of a session without a unionid.
var NoPerson = make([]byte, PersonBytes)

// KeyPlace names the place that session keys are sealed into, beside the user's hash: the
// bucket which had the keys in schema 1.
var KeyPlace = []byte("keys")
