package boltqueue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/queue"
)

// seen reads the remembered IDs of the kind, oldest first; none if the bucket does not exist.
func (j journal) seen(bucket *bbolt.Bucket) (ids []queue.Seen) {
	if bucket == nil {
		return nil
	}
	cursor := bucket.Cursor()
	for k, _ := cursor.Seek(j.kind); bytes.HasPrefix(k, j.kind) && len(k) > len(j.kind)+timeBytes; k, _ = cursor.Next() {
		at, id := k[len(j.kind):len(j.kind)+timeBytes], k[len(j.kind)+timeBytes:]
		ids = append(ids, queue.Seen{ID: string(id), At: time.Unix(0, int64(binary.BigEndian.Uint64(at)))}) //nolint:gosec // G115: the inverse of seenKey
	}
	return ids
}

func (j journal) changeSeen(bucket *bbolt.Bucket, c queue.Change) error {
	if c.Remember != nil {
		if err := bucket.Put(j.seenKey(*c.Remember), nil); err != nil {
			return fmt.Errorf("writing to %s: %w", bucketSeen, err)
		}
		return nil
	}
	if err := bucket.Delete(j.seenKey(*c.Forget)); err != nil {
		return fmt.Errorf("deleting from %s: %w", bucketSeen, err)
	}
	return nil
}

func (j journal) seenKey(s queue.Seen) []byte {
	key := binary.BigEndian.AppendUint64(bytes.Clone(j.kind), uint64(s.At.UnixNano()))
	return append(key, s.ID...)
}
