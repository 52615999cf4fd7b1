// Package boltrecords keeps the short-lived records of browser sessions in the bbolt file of
// the session store, which a single process has open.
package boltrecords

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/web"
)

// The buckets, which are created when first needed. A time is 8 bytes of Unix microseconds, big
// endian.
//
//	web-records  ID -> when it expires + value
//	web-ends     when it expires + ID -> nothing
var (
	bucketRecords = []byte("web-records")
	bucketEnds    = []byte("web-ends")
)

const (
	timeBytes = 8
	// sweptWithAdd is how many expired records an Add deletes: more than it adds, so that
	// their number falls, and few enough for one commit.
	sweptWithAdd = 16
)

// errDamaged means that the value of a record has no time.
var errDamaged = errors.New("a damaged record in web-records")

// File is the part of the session store's file that records need.
type File interface {
	View(ctx context.Context, fn func(*bbolt.Tx) error) error
	// Update calls fn to change the file in a transaction that is on the disk when it returns nil.
	Update(ctx context.Context, fn func(*bbolt.Tx) error) error
}

// Records is [web.Records] in a file.
type Records struct {
	file File
	now  func() time.Time
}

// New returns the records of a file, which must outlive them; now is the clock by which they
// expire.
func New(file File, now func() time.Time) *Records { return &Records{file, now} }

// Add implements [web.Records].
func (r *Records) Add(ctx context.Context, id web.RecordID, value []byte, until time.Time) error {
	return r.update(ctx, func(tx *bbolt.Tx, now time.Time) error {
		records, err := tx.CreateBucketIfNotExists(bucketRecords)
		if err != nil {
			return fmt.Errorf("creating bucket %s: %w", bucketRecords, err)
		}
		ends, err := tx.CreateBucketIfNotExists(bucketEnds)
		if err != nil {
			return fmt.Errorf("creating bucket %s: %w", bucketEnds, err)
		}
		if err := sweep(records, ends, now); err != nil {
			return err
		}
		if was := records.Get(id[:]); was != nil {
			if _, err := live(was, now); !errors.Is(err, web.ErrNoRecord) {
				return errors.Join(err, web.ErrRecordExists)
			}
			if err := ends.Delete(slices.Concat(was[:timeBytes], id[:])); err != nil {
				return fmt.Errorf("deleting from %s: %w", bucketEnds, err)
			}
		}
		at := timeKey(until)
		if err := records.Put(id[:], slices.Concat(at, value)); err != nil {
			return fmt.Errorf("writing to %s: %w", bucketRecords, err)
		}
		if err := ends.Put(slices.Concat(at, id[:]), nil); err != nil {
			return fmt.Errorf("writing to %s: %w", bucketEnds, err)
		}
		return nil
	})
}

// Get implements [web.Records].
func (r *Records) Get(ctx context.Context, id web.RecordID) (value []byte, err error) {
	outcome := web.ErrNoRecord
	err = r.file.View(ctx, func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketRecords); b != nil {
			value, outcome = live(b.Get(id[:]), r.now())
			value = bytes.Clone(value)
		}
		if errors.Is(outcome, errDamaged) {
			return outcome
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value, outcome
}

// Swap implements [web.Records].
func (r *Records) Swap(ctx context.Context, id web.RecordID, old, next []byte) error {
	return r.update(ctx, func(tx *bbolt.Tx, now time.Time) error {
		records, ends := tx.Bucket(bucketRecords), tx.Bucket(bucketEnds)
		if records == nil || ends == nil {
			return web.ErrNoRecord
		}
		was := bytes.Clone(records.Get(id[:]))
		value, err := live(was, now)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(value, old):
			return web.ErrRecordChanged
		case next == nil:
			return errors.Join(records.Delete(id[:]), ends.Delete(slices.Concat(was[:timeBytes], id[:])))
		}
		if err := records.Put(id[:], slices.Concat(was[:timeBytes], next)); err != nil {
			return fmt.Errorf("writing to %s: %w", bucketRecords, err)
		}
		return nil
	})
}

// update calls change to edit the file. If change returns an outcome, the transaction is rolled
// back, so that a forged ticket costs no fsync.
func (r *Records) update(ctx context.Context, change func(tx *bbolt.Tx, now time.Time) error) error {
	var outcome error
	err := r.file.Update(ctx, func(tx *bbolt.Tx) error {
		outcome = change(tx, r.now())
		return outcome
	})
	for _, of := range []error{web.ErrRecordExists, web.ErrNoRecord, web.ErrRecordChanged} {
		if errors.Is(outcome, of) && !errors.Is(outcome, errDamaged) {
			return of
		}
	}
	return err
}

// live returns the value of a stored record, if the record has not expired.
func live(stored []byte, now time.Time) (value []byte, err error) {
	switch {
	case stored == nil:
		return nil, web.ErrNoRecord
	case len(stored) < timeBytes:
		return nil, errDamaged
	case bytes.Compare(stored[:timeBytes], timeKey(now)) <= 0:
		return nil, web.ErrNoRecord
	}
	return stored[timeBytes:], nil
}

// sweep deletes expired records, the oldest first.
func sweep(records, ends *bbolt.Bucket, now time.Time) error {
	var expired [][]byte
	limit, cursor := timeKey(now), ends.Cursor()
	for k, _ := cursor.First(); k != nil && len(expired) < sweptWithAdd && bytes.Compare(k[:min(len(k), timeBytes)], limit) <= 0; k, _ = cursor.Next() {
		expired = append(expired, bytes.Clone(k))
	}
	for _, k := range expired {
		if err := ends.Delete(k); err != nil {
			return fmt.Errorf("deleting from %s: %w", bucketEnds, err)
		}
		if err := records.Delete(k[min(len(k), timeBytes):]); err != nil {
			return fmt.Errorf("deleting from %s: %w", bucketRecords, err)
		}
	}
	return nil
}

// timeKey returns a key that sorts by time. A record lives until the microsecond of its end.
func timeKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(t.UnixMicro(), 0)))
}

// Interface guards
var _ web.Records = (*Records)(nil)
