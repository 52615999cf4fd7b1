package session

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

// The versions of the records, one for each kind. Increase a version with any change of its
// fields, and make its reader accept the previous versions.
const (
	sessionVersion = 2
	// rankedVersion adds the user's risk. Sessions of an unknown risk keep the version that
	// older replicas can read.
	rankedVersion = 3
	// childVersion adds the session's parent to rankedVersion, and its risk may be unknown.
	// Sessions without a parent keep the versions above.
	childVersion      = 4
	keysVersion       = 1
	revocationVersion = 1
	// erasedVersion adds the hash of an erased user. Replicas that do not know this version
	// refuse tokens rather than miss an erasure, so other revocations keep the version that
	// they can read.
	erasedVersion = 2
	// replacedVersion has the fields of the first version, for a session that was replaced.
	// As above, other revocations keep the version that older replicas can read.
	replacedVersion = 3
)

// EncodeSession encodes a session as a record.
func EncodeSession(s *auth.Session) ([]byte, error) {
	version := byte(sessionVersion)
	switch {
	case s.Parent != "":
		version = childVersion
	case s.Risk != 0:
		version = rankedVersion
	}
	w := newWriter(version)
	w.text(string(s.ID))
	w.text(string(s.User.App))
	w.text(string(s.User.OpenID))
	w.text(string(s.UnionID))
	w.time(s.CreatedAt)
	w.time(s.AbsoluteEnd)
	w.time(s.IdleEnd)
	w.time(s.AccessEnd)
	w.fixed(s.Refresh.Current[:])
	w.fixed(s.Refresh.Previous[:])
	w.time(s.Refresh.RotatedAt)
	w.count(s.Refresh.Replays)
	w.bytes(s.Refresh.Successor)
	w.text(s.Phone)
	w.byte(byte(s.Device))
	w.byte(byte(s.Door))
	if version >= rankedVersion {
		w.byte(byte(s.Risk))
	}
	if version == childVersion {
		w.text(string(s.Parent))
	}
	return w.done()
}

// DecodeSession copies everything, so record may be a page of a file.
func DecodeSession(record []byte) (*auth.Session, error) {
	r := newReader(record, childVersion)
	s := &auth.Session{
		ID:          auth.SessionID(r.text()),
		User:        auth.User{App: auth.AppID(r.text()), OpenID: auth.OpenID(r.text())},
		UnionID:     auth.UnionID(r.text()),
		CreatedAt:   r.time(),
		AbsoluteEnd: r.time(),
		IdleEnd:     r.time(),
		AccessEnd:   r.time(),
	}
	copy(s.Refresh.Current[:], r.fixed(len(s.Refresh.Current)))
	copy(s.Refresh.Previous[:], r.fixed(len(s.Refresh.Previous)))
	s.Refresh.RotatedAt = r.time()
	s.Refresh.Replays = r.count()
	if successor := r.bytes(); len(successor) > 0 {
		s.Refresh.Successor = bytes.Clone(successor)
	}
	s.Phone = r.text()
	if r.version > 1 { // the first version has neither
		s.Device, s.Door = auth.Device(r.byte()), auth.Door(r.byte())
	}
	if r.version >= rankedVersion {
		s.Risk = auth.Risk(r.byte())
		unknown := s.Risk == 0 && r.version == rankedVersion
		if r.err == nil && (unknown || s.Risk > auth.MaxRiskRank+1) {
			r.err = fmt.Errorf("%w: a risk of %d", ErrBadRecord, s.Risk)
		}
	}
	if r.version == childVersion {
		s.Parent = r.parent()
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	return s, nil
}

// parent reads the ID of a session's parent.
func (r *reader) parent() auth.SessionID {
	id := r.text()
	if r.err != nil {
		return ""
	}
	parent, err := auth.ParseSessionID(id)
	if err != nil {
		r.err = fmt.Errorf("%w: a parent that is not a session", ErrBadRecord)
	}
	return parent
}

// EncodeKeys encodes a user's session keys as a record.
func EncodeKeys(keys []auth.SessionKey) ([]byte, error) {
	w := newWriter(keysVersion)
	w.count(len(keys))
	for _, key := range keys {
		w.text(key.Key)
		w.time(key.ObtainedAt)
	}
	return w.done()
}

// DecodeKeys decodes a record that EncodeKeys returned.
func DecodeKeys(record []byte) ([]auth.SessionKey, error) {
	r := newReader(record, keysVersion)
	n := r.count()
	if n > auth.MaxSessionKeys {
		return nil, fmt.Errorf("reading session keys: %w: %d keys, at most %d are kept", ErrBadRecord, n, auth.MaxSessionKeys)
	}
	keys := make([]auth.SessionKey, 0, n)
	for range n {
		keys = append(keys, auth.SessionKey{Key: r.text(), ObtainedAt: r.time()})
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("reading session keys: %w", err)
	}
	return keys, nil
}

// EncodeRevocation encodes a revocation as a record.
func EncodeRevocation(rev auth.Revocation) ([]byte, error) {
	version := byte(revocationVersion)
	switch {
	case rev.Erased != "":
		version = erasedVersion
	case rev.Replaced:
		version = replacedVersion
	}
	w := newWriter(version)
	w.text(string(rev.Session))
	w.text(string(rev.User.App))
	w.text(string(rev.User.OpenID))
	w.text(string(rev.Key))
	w.time(rev.NotAfter)
	w.time(rev.Until)
	if version == erasedVersion {
		w.text(string(rev.Erased))
	}
	return w.done()
}

// DecodeRevocation decodes a record that EncodeRevocation returned.
func DecodeRevocation(record []byte) (auth.Revocation, error) {
	r := newReader(record, replacedVersion)
	rev := auth.Revocation{
		Session:  auth.SessionID(r.text()),
		User:     auth.User{App: auth.AppID(r.text()), OpenID: auth.OpenID(r.text())},
		Key:      auth.KeyID(r.text()),
		NotAfter: r.time(),
		Until:    r.time(),
	}
	switch r.version {
	case erasedVersion:
		rev.Erased = auth.ErasedUser(r.text())
		if r.err == nil && !rev.Erased.Valid() {
			r.err = fmt.Errorf("%w: the hash of an erased user has %d bytes", ErrBadRecord, len(rev.Erased))
		}
	case replacedVersion:
		rev.Replaced = true
		if r.err == nil && rev.Session == "" {
			r.err = fmt.Errorf("%w: a revocation that replaces no session", ErrBadRecord)
		}
	}
	if err := r.done(); err != nil {
		return auth.Revocation{}, fmt.Errorf("reading a revocation: %w", err)
	}
	return rev, nil
}

// CloneSession returns a copy that shares no mutable memory with s.
func CloneSession(s *auth.Session) *auth.Session {
	c := *s
	c.Refresh.Successor = slices.Clone(s.Refresh.Successor)
	return &c
}
