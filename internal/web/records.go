package web

import (
	"context"
	"errors"
	"time"
)

// RecordID is the key of a short-lived record: a SHA-256.
type RecordID [32]byte

// MaxRecordBytes is the maximum length of a record's value.
const MaxRecordBytes = 1 << 10

// The outcomes of [Records] that are not failures of the store.
var (
	ErrRecordExists  = errors.New("a record with this ID exists")
	ErrNoRecord      = errors.New("no such record")
	ErrRecordChanged = errors.New("the record has another value")
)

// Records keeps short-lived records: tickets, scans, and used states. Every method is one
// atomic step over all machines, durable when it returns nil, and safe for concurrent use.
// Failures of the store wrap [auth.ErrStoreUnavailable]. An expired record does not exist.
type Records interface {
	// Add adds a record, which expires at until. [ErrRecordExists].
	Add(ctx context.Context, id RecordID, value []byte, until time.Time) error
	// Get returns the value of a record. [ErrNoRecord].
	Get(ctx context.Context, id RecordID) ([]byte, error)
	// Swap replaces the value of a record if it is old, or deletes the record if next is nil.
	// Of several calls with the same old value, one succeeds. The expiry of the record does
	// not change. [ErrNoRecord], [ErrRecordChanged].
	Swap(ctx context.Context, id RecordID, old, next []byte) error
}
