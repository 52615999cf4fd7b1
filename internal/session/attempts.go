package session

import (
	"bytes"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

const attemptsVersion = 1

// placeAttempts is the place that a user's attempts are sealed into, beside the user.
var placeAttempts = []byte("attempts")

func encodeAttempts(a *auth.Attempts) ([]byte, error) {
	w := newWriter(attemptsVersion)
	w.time(a.DayEnds)
	w.count(a.Pending)
	w.count(a.Failed)
	w.count(len(a.Keys))
	for _, k := range a.Keys {
		w.bytes(k.Key)
		w.count(k.Pending)
		w.count(k.Failed)
		w.time(k.Until)
	}
	return w.done()
}

// decodeAttempts copies everything, so record may be a page of a file.
func decodeAttempts(record []byte) (*auth.Attempts, error) {
	r := newReader(record, attemptsVersion)
	a := &auth.Attempts{DayEnds: r.time(), Pending: r.count(), Failed: r.count()}
	for range r.count() {
		a.Keys = append(a.Keys, auth.KeyAttempts{
			Key: bytes.Clone(r.bytes()), Pending: r.count(), Failed: r.count(), Until: r.time(),
		})
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("reading attempts: %w", err)
	}
	return a, nil
}

// OpenAttempts reads a sealed record. An unreadable record counts as no attempts: an error
// would lock the user out, and no client can damage a record.
func (v Vault) OpenAttempts(user, sealed []byte) *auth.Attempts {
	if len(sealed) == 0 {
		return new(auth.Attempts)
	}
	record, err := v.Open(placeAttempts, user, sealed)
	if err != nil {
		return new(auth.Attempts)
	}
	a, err := decodeAttempts(record)
	if err != nil {
		return new(auth.Attempts)
	}
	return a
}

// SealAttempts encodes a user's attempts and seals them for OpenAttempts.
func (v Vault) SealAttempts(user []byte, a *auth.Attempts) ([]byte, error) {
	record, err := encodeAttempts(a)
	if err != nil {
		return nil, err
	}
	return v.Seal(placeAttempts, user, record)
}
