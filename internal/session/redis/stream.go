package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
	"github.com/wxgate/wxgate/internal/session/redis/stream"
)

const (
	// entriesRead is how many entries of each stream one read returns: with 16 streams and
	// 300 bytes an entry, about a megabyte.
	entriesRead = 256
	// lookEvery is how often the follower checks whether the server lost entries without
	// closing the connection, such as after FLUSHALL.
	lookEvery = 5 * time.Second
	// overlap is how far back entries are read again after an error. Entry IDs are times of
	// Redis's clock: if a new master's clock is behind by less than overlap, its entries are
	// still read.
	overlap = 10 * time.Second
)

// tracked is a stream and how far it was read.
type tracked struct {
	tag    byte
	key    string
	cursor stream.ID
}

// look checks which server this is and where its streams end. After a failover, a restart or
// a flush they may lack entries that were read before: then the streams are read again, and
// missing revocations are appended. After other errors, new entries may have IDs slightly
// before the cursor.
func (f *follower) look(ctx context.Context) error {
	keys := make([]string, len(f.streams))
	for i, s := range f.streams {
		keys[i] = s.key
	}
	tails, err := f.redis.client.Run(ctx, step.ScriptTails, keys, nil).AsStrSlice()
	if err != nil {
		return f.redis.failed(err)
	}
	if len(tails) != len(keys)+3 {
		return fmt.Errorf("%w: %d tails of %d streams", session.ErrCorrupt, len(tails)-3, len(keys))
	}
	if err := f.redis.client.CheckMaster(ctx, tails[1], tails[2]); err != nil {
		return f.redis.failed(err)
	}
	// If a stream ends long before the cursor, it may lack any of its entries.
	lost, lostAll := f.server != "" && f.server != tails[0], false
	for i, tail := range tails[3:] {
		id, err := stream.ParseID(tail)
		if err != nil {
			return err
		}
		lost = lost || id.Compare(f.streams[i].cursor) < 0
		lostAll = lostAll || id.Compare(f.streams[i].cursor.Back(overlap)) < 0
	}
	if lost {
		if err := f.startRepair(ctx, lostAll); err != nil {
			return err
		}
	} else if f.unsure {
		for i := range f.streams {
			f.streams[i].cursor = f.streams[i].cursor.Back(overlap)
		}
	}
	f.server, f.looked, f.unsure = tails[0], time.Now(), false
	return nil
}

// read reads and enforces new entries of the streams; more reports that there may be further
// entries.
func (f *follower) read(ctx context.Context, wait time.Duration) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait+f.redis.cfg.Timeout)
	defer cancel()
	got, err := f.redis.client.Do(ctx, f.xread(wait)).AsXRead()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	if err != nil {
		return false, f.redis.failed(err)
	}
	for i := range f.streams {
		s := &f.streams[i]
		var naming []namedEntry
		for _, entry := range got[s.key] {
			id, err := stream.ParseID(entry.ID)
			if err == nil {
				err = f.take(entry, &naming)
			}
			if errors.Is(err, session.ErrOtherSecret) {
				if again, err := f.reloadIndexKey(ctx); again || err != nil {
					return again, err
				}
				f.redis.opts.OnError(fmt.Errorf("redis at %s: entry %s of %s is skipped: %w", f.redis.client.Where(), entry.ID, s.key, err))
				err = nil
			}
			if err != nil {
				return false, fmt.Errorf("redis at %s: entry %s of %s: %w", f.redis.client.Where(), entry.ID, s.key, err)
			}
			s.cursor = id
		}
		more = more || len(got[s.key]) >= entriesRead
		f.redis.deleteLate(ctx, s.key, naming)
	}
	return more, nil
}

func (f *follower) xread(wait time.Duration) rueidis.Completed {
	keys, ids := make([]string, len(f.streams)), make([]string, len(f.streams))
	for i, s := range f.streams {
		keys[i], ids[i] = s.key, s.cursor.String()
	}
	count := f.redis.client.B().Xread().Count(entriesRead)
	if wait <= 0 {
		return count.Streams().Key(keys...).Id(ids...).Build()
	}
	return count.Block(wait.Milliseconds()).Streams().Key(keys...).Id(ids...).Build()
}

// take enforces one entry. An unreadable entry is an error, and this replica is not up to date
// until the entry is trimmed: skipping it would let an attacker use a stolen token again. An
// entry that names an erased user is added to naming.
func (f *follower) take(entry rueidis.XRangeEntry, naming *[]namedEntry) error {
	r, fields := f.redis, entry.FieldValues
	record, err := r.vault.Load().Open(layout.PlaceRevocations, nil, []byte(fields["b"]))
	if err != nil {
		return err
	}
	rev, err := session.DecodeRevocation(record)
	if err != nil {
		return err
	}
	if f.repairing != nil {
		key := session.RevocationKeyOf(rev)
		f.repairing.seen[key] = session.MergeRevocations(f.repairing.seen[key], rev)
	}
	now := r.opts.Now()
	if !rev.Until.After(r.opts.SweepNow()) { // a clock that is ahead must not void a revocation
		return nil
	}
	if r.set.IsErased(rev) {
		r.set.Add(rev)
		*naming = append(*naming, namedEntry{entry.ID, rev})
		return nil
	}
	news := !r.set.Contains(rev)
	r.set.Add(rev)
	if news && f.isCaughtUp() {
		r.recent.Add(rev, recentFor)
	}
	if news && fields["r"] != r.replica && f.isCaughtUp() {
		r.cfg.Propagated(max(0, now.Sub(layout.ParseMillis(fields["t"]))))
	}
	return nil
}
