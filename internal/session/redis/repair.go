package redis

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

const (
	// repairWithin is within what time the replicas append again what a failover
	// lost, each at a moment of its own: those who come later find it there.
	repairWithin = 2 * time.Second
	// repairBatch is how many revocations are appended again, some 30 KiB, before
	// the streams are read again.
	repairBatch = 100
	// recentFor is how long a replica remembers what it has lately learned: what
	// a failover may lose without the streams ending visibly early.
	recentFor = 2 * overlap
)

// repairJob is a follower that looks for entries which the server may lack, and
// appends again those that it misses.
type repairJob struct {
	// all is whether everything is read again, and not the last entries alone: a
	// thousand replicas that read everything after each restart of Redis would
	// be more than it can send.
	all  bool
	seen map[session.RevocationKey]auth.Revocation // what the streams have
	due  time.Time                                 // when to append what is missing; zero while reading
}

// startRepair makes sure that the store is still there, makes it again where it
// was flushed, and has the streams read again.
func (f *follower) startRepair(ctx context.Context, all bool) error {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil {
		return err
	}
	r.vault.Store(meta.vault)
	all = all || f.repairing != nil && f.repairing.all // what was begun
	f.repairing = &repairJob{all: all, seen: make(map[session.RevocationKey]auth.Revocation)}
	for i := range f.streams {
		if all {
			f.streams[i].cursor = entryID{}
		} else {
			f.streams[i].cursor = f.streams[i].cursor.back(recentFor)
		}
	}
	return nil
}

// reloadIndexKey is for an entry that was sealed with another key than this replica
// has. Either the store was flushed and made anew by a replica that had just
// started: then all is read again, with its key. Or it is this replica's key
// that is in force, and the entry is of one that has not yet noticed the flush:
// that one will append all it knows again.
func (f *follower) reloadIndexKey(ctx context.Context) (again bool, err error) {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil || bytes.Equal(meta.vault.IndexKey, r.vault.Load().IndexKey) {
		return false, err
	}
	return true, f.startRepair(ctx, true)
}

// repair appends again some of what the streams miss of what this replica knows,
// once it has read them and its moment has come. It reports what keeps it from
// that and tries later: entries of the streams are still applied.
func (f *follower) repair(ctx context.Context) {
	m := f.repairing
	if m == nil || m.due.IsZero() || time.Until(m.due) > 0 {
		return
	}
	missing := f.missing()
	n := min(len(missing), repairBatch)
	if n == 0 {
		f.repairing = nil
		return
	}
	if err := f.redis.append(ctx, missing[:n]); err != nil {
		m.due = time.Now().Add(repairWithin)
		f.redis.opts.OnError(fmt.Errorf("re-appending %d revocations that Redis lost: %w", len(missing), err))
	}
}

// missing are the revocations in force that were not seen in the streams.
func (f *follower) missing() []auth.Revocation {
	now := f.redis.opts.Now()
	known := f.redis.recent.list()
	if f.repairing.all {
		known = f.redis.set.Active(now)
	}
	var missing []auth.Revocation
	for _, rev := range known {
		seen := f.repairing.seen[session.RevocationKeyOf(rev)]
		lacks := rev.Until.After(seen.Until) || rev.NotAfter.After(seen.NotAfter)
		if lacks && rev.Until.After(now) && f.redis.followerOf(shardOf(rev)) == f {
			missing = append(missing, rev)
		}
	}
	return missing
}

// append appends revocations to the streams of their shards. It waits for no
// acknowledgement: after a failover there may be no replica of Redis yet.
func (r *Client) append(ctx context.Context, revs []auth.Revocation) error {
	steps := make(map[byte]*step)
	now := r.opts.Now()
	for _, rev := range revs {
		tag := shardOf(rev) % hashTags
		if steps[tag] == nil {
			steps[tag] = newStep()
		}
		if err := r.revoke(steps[tag], rev, now); err != nil {
			return err
		}
	}
	for _, st := range steps {
		if err := r.client.Run(ctx, scriptEnd, st.keys, st.args()).Error(); err != nil {
			return r.failed(err)
		}
	}
	return nil
}

// recent is what a replica has learned lately, of others and by itself.
type recent struct {
	mu   sync.Mutex
	revs []learned // in order of time
}

type learned struct {
	at  time.Time
	rev auth.Revocation
}

func (l *recent) add(rev auth.Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	l.revs = append(l.revs, learned{time.Now(), rev})
}

// forget drops what is no longer recent; l.mu is held.
func (l *recent) forget() {
	old := 0
	for old < len(l.revs) && time.Since(l.revs[old].at) > recentFor {
		old++
	}
	if l.revs = l.revs[old:]; len(l.revs) == 0 {
		l.revs = nil
	}
}

func (l *recent) list() []auth.Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	revs := make([]auth.Revocation, len(l.revs))
	for i, one := range l.revs {
		revs[i] = one.rev
	}
	return revs
}
