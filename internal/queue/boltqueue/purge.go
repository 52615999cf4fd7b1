package boltqueue

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/queue"
)

// PurgeRest implements [queue.Journal].
func (j journal) PurgeRest(ctx context.Context, until time.Time) error {
	old := make(map[string][][]byte) // bucket -> keys
	err := j.file.View(ctx, func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLive, bucketDead, bucketSeen} {
			if bucket := tx.Bucket(name); bucket != nil {
				old[string(name)] = j.old(bucket, string(name) == string(bucketSeen), until)
			}
		}
		return nil
	})
	if err != nil || len(old[string(bucketLive)])+len(old[string(bucketDead)])+len(old[string(bucketSeen)]) == 0 {
		return err
	}
	return j.file.Update(ctx, func(tx *bbolt.Tx) error {
		for name, keys := range old {
			for _, key := range keys {
				if err := tx.Bucket([]byte(name)).Delete(key); err != nil {
					return fmt.Errorf("deleting from %s: %w", name, err)
				}
			}
		}
		return nil
	})
}

// old returns the keys of other kinds whose time is not after until.
func (j journal) old(bucket *bbolt.Bucket, seen bool, until time.Time) (keys [][]byte) {
	cursor := bucket.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		kind := k[:bytes.IndexByte(k, 0)+1]
		if bytes.Equal(kind, j.kind) || timeOf(k[len(kind):], v, seen).After(until) {
			continue
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// timeOf returns the time of an entry, or of a remembered ID; the zero time if it cannot be
// read.
func timeOf(rest, value []byte, seen bool) (at time.Time) {
	if seen && len(rest) > timeBytes {
		return time.Unix(0, int64(binary.BigEndian.Uint64(rest))) //nolint:gosec // G115: the inverse of seenKey
	}
	e := new(queue.Entry)
	if !seen && json.Unmarshal(value, e) == nil {
		return e.Enqueued
	}
	return at
}
