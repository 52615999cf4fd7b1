package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// Sweep removes entries that have expired at now, at most limit in one transaction, and
// returns their number. It follows the index of ends, so entries that have not expired cost
// nothing; it needs no root secret. It also repeats an interrupted wipe.
func (f *File) Sweep(ctx context.Context, now time.Time, limit int) (removed int, err error) {
	if err := f.sound(ctx); err != nil {
		return 0, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return removed, session.Unavailable(err)
		}
		var n, swept int
		err := f.commits.Do(func(tx *bbolt.Tx) (bool, error) {
			c := &change{tx: tx, file: f, recent: f.recent.View(), now: now}
			due := c.due(limit)
			n, swept = len(due), 0
			for _, key := range due {
				ended, err := c.sweep(key)
				if err != nil {
					return false, fmt.Errorf("sweeping: %w", err)
				}
				if ended {
					swept++
				}
			}
			return c.wrote, nil
		})
		if err != nil {
			return removed, err
		}
		removed += swept
		if n < limit {
			f.set.Sweep(now)
			return removed, f.finishWipe(ctx)
		}
	}
}

// due returns the first keys of the index of ends that have expired. They are collected before
// any is deleted, because a deletion would make a cursor lose its place.
func (c *change) due(limit int) (keys [][]byte) {
	until := layout.TimeKey(c.now)
	cursor := c.tx.Bucket(layout.Ends).Cursor()
	for k, _ := cursor.First(); k != nil && len(keys) < limit; k, _ = cursor.Next() {
		if len(k) > layout.TimeBytes && bytes.Compare(k[:layout.TimeBytes], until) > 0 {
			break
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// sweep removes what an entry of the index of ends names. It returns false if that ends later:
// a refresh does not move its session in the index.
func (c *change) sweep(key []byte) (ended bool, err error) {
	if len(key) <= layout.TimeBytes {
		return true, c.delete(layout.Ends, key)
	}
	tagged := key[layout.TimeBytes:]
	switch tagged[0] {
	case layout.TagEnd:
		return c.sweepSession(key, tagged[1:])
	case layout.TagAttempts:
		return true, c.deleteAttempts(tagged[1:], key)
	}
	if err := c.delete(layout.Revocations, tagged); err != nil {
		return false, err
	}
	return true, c.delete(layout.Ends, key)
}

func (c *change) sweepSession(key, id []byte) (ended bool, err error) {
	e, ok := c.entry(id)
	switch {
	case !ok || !bytes.Equal(layout.EndKey(e.Listed, id), key): // the file is damaged
		return true, c.delete(layout.Ends, key)
	case !e.End.After(c.now):
		return true, c.endSession(id)
	}
	if err := c.list(id, &e, e.End); err != nil {
		return false, err
	}
	return false, c.put(layout.Sessions, id, e.Encode())
}
