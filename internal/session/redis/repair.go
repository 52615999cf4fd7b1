package redis

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
	"github.com/wxgate/wxgate/internal/session/redis/stream"
)

const (
	// repairWithin is how long after a failover replicas append lost revocations again. Each
	// replica waits a random time, so that most find the revocations already appended.
	repairWithin = 2 * time.Second
	// repairBatch is how many revocations, some 30 KiB, are appended before the streams
	// are read again.
	repairBatch = 100
	// recentFor is how long a replica remembers new revocations. A failover may lose them
	// even if no stream ends earlier than expected.
	recentFor = 2 * overlap
)

// repairJob is the state of a follower that searches for lost entries and appends them
// again.
type repairJob struct {
	// all is true if the whole streams are read again, not only the last entries. If a
	// thousand replicas did so after each restart, Redis would be overloaded.
	all  bool
	seen map[session.RevocationKey]auth.Revocation // the revocations in the streams
	due  time.Time                                 // when to append missing revocations; zero while reading
}

// startRepair checks the store, creates it again if it was flushed, and starts to read the
// streams again.
func (f *follower) startRepair(ctx context.Context, all bool) error {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil {
		return err
	}
	r.vault.Store(meta.vault)
	all = all || f.repairing != nil && f.repairing.all // a repair in progress
	f.repairing = &repairJob{all: all, seen: make(map[session.RevocationKey]auth.Revocation)}
	for i := range f.streams {
		if all {
			f.streams[i].cursor = stream.ID{}
		} else {
			f.streams[i].cursor = f.streams[i].cursor.Back(recentFor)
		}
	}
	return nil
}

// reloadIndexKey handles an entry that is sealed with a different key than this replica's.
// There are two cases. If the store was flushed, and created again by a replica that had just
// started, all entries are read again with the new key. If this replica's key is the current
// one, the entry is from a replica that has not noticed the flush; that replica will append
// all of its revocations again.
func (f *follower) reloadIndexKey(ctx context.Context) (again bool, err error) {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil || bytes.Equal(meta.vault.IndexKey, r.vault.Load().IndexKey) {
		return false, err
	}
	return true, f.startRepair(ctx, true)
}

// repair appends some of the revocations that the streams lack, once the streams were read and
// the repair is due. It reports an error and retries later, while the follower continues to
// read.
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

// missing returns the revocations that are enforced but were not in the streams.
func (f *follower) missing() []auth.Revocation {
	now := f.redis.opts.Now()
	known := f.redis.recent.List(recentFor)
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

// append appends revocations to the streams of their shards. It does not wait for
// acknowledgements: after a failover Redis may have no replica yet.
func (r *Client) append(ctx context.Context, revs []auth.Revocation) error {
	steps := make(map[byte]*step.Step)
	now := r.opts.Now()
	for _, rev := range revs {
		tag := shardOf(rev) % layout.HashTags
		if steps[tag] == nil {
			steps[tag] = step.New()
		}
		if err := r.revoke(steps[tag], rev, now); err != nil {
			return err
		}
	}
	for _, st := range steps {
		if err := r.client.Run(ctx, step.ScriptEnd, st.Keys, st.Args()).Error(); err != nil {
			return r.failed(err)
		}
	}
	return nil
}
