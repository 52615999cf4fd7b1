package session

import (
	"bytes"
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// mendWithin is within what time the replicas append again what a failover
	// lost, each at a moment of its own: those who come later find it there.
	mendWithin = 2 * time.Second
	// mendStep is how many revocations one script appends again: some 30 KiB.
	mendStep = 100
)

// mending is a follower that reads everything again, since the server may lack
// entries, and appends again those that it misses.
type mending struct {
	seen map[entryKey]auth.Revocation // what the streams have
	due  time.Time                    // when to append what is missing; zero while reading
}

// startMending makes sure that the store is still there, and founds it again
// where it was flushed.
func (f *follower) startMending(ctx context.Context) error {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil {
		return err
	}
	r.vault.Store(meta.vault)
	f.mending = &mending{seen: make(map[entryKey]auth.Revocation)}
	for i := range f.streams {
		f.streams[i].cursor = entryID{}
	}
	return nil
}

// refound is for an entry that was sealed with another key than this replica
// has. Either the store was flushed and founded anew by a replica that had just
// started: then all is read again, with its key. Or it is this replica's key
// that is in force, and the entry is of one that has not yet noticed the flush:
// that one will append all it knows again.
func (f *follower) refound(ctx context.Context) (again bool, err error) {
	r := f.redis
	meta, err := r.readMeta(ctx, r.box.Load())
	if err != nil || bytes.Equal(meta.vault.index, r.vault.Load().index) {
		return false, err
	}
	return true, f.startMending(ctx)
}

// mend appends again what the streams miss of what this replica knows, once it
// has read them and its moment has come.
func (f *follower) mend(ctx context.Context) error {
	m := f.mending
	if m == nil || m.due.IsZero() || time.Until(m.due) > 0 {
		return nil
	}
	missing := f.missing()
	for len(missing) > 0 {
		n := min(len(missing), mendStep)
		if err := f.redis.append(ctx, missing[:n]); err != nil {
			return err
		}
		missing = missing[n:]
	}
	f.mending = nil
	return nil
}

// missing are the revocations in force that were not seen in the streams.
func (f *follower) missing() []auth.Revocation {
	var missing []auth.Revocation
	for _, rev := range f.ofStreams(f.redis.set.live(f.redis.opts.Now())) {
		if seen := f.mending.seen[entryKeyOf(rev)]; rev.Until.After(seen.Until) || rev.NotAfter.After(seen.NotAfter) {
			missing = append(missing, rev)
		}
	}
	return missing
}

// append appends revocations to the streams of their shards.
func (r *Redis) append(ctx context.Context, revs []auth.Revocation) error {
	steps := make(map[byte]*step)
	now := r.opts.Now()
	for _, rev := range revs {
		tag := shardOf(rev) % redisTags
		if steps[tag] == nil {
			steps[tag] = newStep()
		}
		if err := r.revoke(steps[tag], rev, now); err != nil {
			return err
		}
	}
	for _, st := range steps {
		if _, err := r.write(ctx, scriptStep, st.keys, st.args()); err != nil {
			return err
		}
	}
	return nil
}
