package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
)

// Sweep removes what is over at now, at most limit entries in one transaction,
// and says how many there were. It follows the index of ends and so costs nothing
// for what is not over; it needs no root secret.
func (f *File) Sweep(ctx context.Context, now time.Time, limit int) (removed int, err error) {
	if err := f.sound(ctx); err != nil {
		return 0, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return removed, session.Unavailable(err)
		}
		var n int
		err := f.commits.do(func(tx *bbolt.Tx) (bool, error) {
			c := &change{tx: tx, now: now}
			over := c.over(limit)
			for _, entry := range over {
				if err := c.sweep(entry); err != nil {
					return false, fmt.Errorf("sweeping: %w", err)
				}
			}
			n = len(over)
			return c.wrote, nil
		})
		if err != nil {
			return removed, err
		}
		removed += n
		if n < limit {
			f.set.Sweep(now)
			return removed, nil
		}
	}
}

// endEntry is an entry of the index of ends.
type endEntry struct{ key, user []byte }

// over lists the first entries that have ended. They are collected before any is
// deleted: a cursor loses its place otherwise.
func (c *change) over(limit int) []endEntry {
	var entries []endEntry
	until := timeKey(c.now)
	cursor := c.tx.Bucket(bucketEnds).Cursor()
	for k, v := cursor.First(); k != nil && len(entries) < limit; k, v = cursor.Next() {
		if len(k) > timeKeyBytes && bytes.Compare(k[:timeKeyBytes], until) > 0 {
			break
		}
		entries = append(entries, endEntry{key: bytes.Clone(k), user: bytes.Clone(v)})
	}
	return entries
}

func (c *change) sweep(entry endEntry) error {
	if len(entry.key) <= timeKeyBytes {
		return c.delete(bucketEnds, entry.key)
	}
	tagged := entry.key[timeKeyBytes:]
	switch tagged[0] {
	case tagEnd:
	case tagAttempts:
		return c.deleteAttempts(tagged[1:], entry.key)
	default:
		if err := c.delete(bucketRevocations, tagged); err != nil {
			return err
		}
		return c.delete(bucketEnds, entry.key)
	}
	sess := indexed{user: entry.user, id: tagged[1:], end: keyTime(entry.key)}
	if err := c.deleteSession(sess); err != nil {
		return err
	}
	return c.tidyUser(sess.user)
}
