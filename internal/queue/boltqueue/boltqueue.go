// Package boltqueue keeps queues in the bbolt file of the session store, which a single
// process has open.
package boltqueue

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/queue"
)

// The buckets, which are created when first needed:
//
//	queue       kind, NUL, place -> entry in JSON, with its payload sealed
//	queue-dead  the same for dead letters
//	queue-seen  kind, NUL, time, ID -> nothing, for each ID that is remembered
//
// A place is 8 bytes, big endian; a time is 8 bytes of Unix nanoseconds.
var (
	bucketLive = []byte("queue")
	bucketDead = []byte("queue-dead")
	bucketSeen = []byte("queue-seen")
)

const (
	placeBytes = 8
	timeBytes  = 8
)

// File is the part of the session store's file that a queue needs.
type File interface {
	View(ctx context.Context, fn func(*bbolt.Tx) error) error
	// Update calls fn to change the file in a transaction without writes of sessions: a
	// queue that cannot be written must not make a logout fail.
	Update(ctx context.Context, fn func(*bbolt.Tx) error) error
}

// New returns the queue of a kind in a file, which must outlive it.
func New(file File, kind string, limits queue.Limits) *queue.Local {
	return queue.NewLocal(limits, journal{file: file, kind: append([]byte(kind), 0)})
}

// journal is the [queue.Journal] of one kind.
type journal struct {
	file File
	kind []byte // with NUL
}

// Load implements [queue.Journal]. It skips entries that only a newer version of wxgate can read.
func (j journal) Load(ctx context.Context) (kept queue.Kept, err error) {
	err = j.file.View(ctx, func(tx *bbolt.Tx) error {
		kept = queue.Kept{Live: j.entries(tx.Bucket(bucketLive)), Dead: j.entries(tx.Bucket(bucketDead)), Seen: j.seen(tx.Bucket(bucketSeen))}
		return nil
	})
	return kept, err
}

// entries reads the entries of the kind; none if the bucket does not exist.
func (j journal) entries(bucket *bbolt.Bucket) (entries []*queue.Entry) {
	if bucket == nil {
		return nil
	}
	cursor := bucket.Cursor()
	for k, v := cursor.Seek(j.kind); len(k) == len(j.kind)+placeBytes && string(k[:len(j.kind)]) == string(j.kind); k, v = cursor.Next() {
		e := new(queue.Entry)
		if json.Unmarshal(v, e) == nil && e.ID != "" {
			e.Seq = binary.BigEndian.Uint64(k[len(j.kind):])
			entries = append(entries, e)
		}
	}
	return entries
}

// Write implements [queue.Journal].
func (j journal) Write(ctx context.Context, changes []queue.Change) error {
	return j.file.Update(ctx, func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLive, bucketDead, bucketSeen} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("creating bucket %s: %w", name, err)
			}
		}
		for _, c := range changes {
			if err := j.change(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (j journal) change(tx *bbolt.Tx, c queue.Change) error {
	if c.Remember != nil || c.Forget != nil {
		return j.changeSeen(tx.Bucket(bucketSeen), c)
	}
	key := binary.BigEndian.AppendUint64(append([]byte(nil), j.kind...), c.Seq)
	to, from := bucketLive, bucketDead
	if c.Dead {
		to, from = from, to
	}
	if err := tx.Bucket(from).Delete(key); err != nil {
		return fmt.Errorf("deleting from %s: %w", from, err)
	}
	if c.Entry == nil {
		if err := tx.Bucket(to).Delete(key); err != nil {
			return fmt.Errorf("deleting from %s: %w", to, err)
		}
		return nil
	}
	value, err := json.Marshal(c.Entry)
	if err != nil {
		return fmt.Errorf("encoding a queue's entry: %w", err)
	}
	if err := tx.Bucket(to).Put(key, value); err != nil {
		return fmt.Errorf("writing to %s: %w", to, err)
	}
	return nil
}
