package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

const (
	// heartbeat is how long a read of the streams waits for something new, and
	// so how often a replica hears that there is nothing.
	heartbeat = 500 * time.Millisecond
	// failFastAfter is how long after the last response of Redis operations fail without
	// trying, once a read failed. A dropped connection is made again within it,
	// although up to a heartbeat of it is over by then.
	failFastAfter = time.Second
	// retryFirst and retryMost bound the waits between a follower's attempts.
	retryFirst = 20 * time.Millisecond
	retryMost  = 500 * time.Millisecond

	// replicaNameLength is 30 bits: two replicas of one name would only leave
	// each other's revocations out of a histogram.
	replicaNameLength = 6
)

// follower reads some of the streams, without end: all of them where one server
// has all, or one in a Cluster. It owns its goroutine; what others look at is
// atomic.
type follower struct {
	redis   *Client
	streams []tracked

	// received is when, since Redis was opened, the last read was sent that found
	// everything up to then; -1 before the first.
	received   atomic.Int64
	receivedAt atomic.Int64            // the same by the wall clock, in Unix nanoseconds
	failure    atomic.Pointer[failure] // nil while all is well
	outage     atomic.Pointer[outage]  // the last one that is over; nil before the first

	// What only the goroutine knows.
	server    string     // that was read from last
	looked    time.Time  // when that was checked
	unsure    bool       // whether it has to be checked
	repairing *repairJob // nil unless entries may have been lost
}

// failure is why a follower does not hear Redis, and since when.
type failure struct {
	since time.Time
	err   error
}

func (r *Client) newFollowers() []*follower {
	streams := make([]tracked, hashTags)
	for tag := range streams {
		streams[tag] = tracked{tag: byte(tag), key: r.streamKey(byte(tag))}
	}
	if !r.cfg.Cluster {
		return []*follower{newFollower(r, streams)}
	}
	followers := make([]*follower, hashTags)
	for tag := range followers {
		followers[tag] = newFollower(r, streams[tag:tag+1])
	}
	return followers
}

func newFollower(r *Client, streams []tracked) *follower {
	f := &follower{redis: r, streams: streams, unsure: true}
	f.received.Store(-1)
	return f
}

// followerOf is the follower of a shard's stream.
func (r *Client) followerOf(shard byte) *follower {
	return r.followers[int(shard)%hashTags%len(r.followers)]
}

// Stale is how long ago this replica last knew every revocation, by whichever clock
// says that it is longer. The monotonic clock stands still while a virtual machine
// is suspended: a token that was revoked meanwhile would be accepted afterwards. The
// wall clock may be set back.
func (r *Client) Stale() time.Duration {
	now, wall := time.Since(r.opened), time.Now().UnixNano()
	var stale time.Duration
	for _, f := range r.followers {
		stale = max(stale, now-max(0, time.Duration(f.received.Load())))
		if at := f.receivedAt.Load(); at > 0 {
			stale = max(stale, time.Duration(wall-at))
		}
	}
	return stale
}

// catchUp puts in force what Redis holds and starts to follow what comes. It does
// nothing where that was done.
func (r *Client) catchUp(ctx context.Context) error {
	if r.stop != nil {
		for _, f := range r.followers {
			if err := f.healthy(); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range r.followers {
		for !f.isCaughtUp() {
			if err := f.round(ctx, 0); err != nil {
				return err
			}
		}
	}
	// The goroutines outlive the call: they end in Close.
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, f := range r.followers {
		r.following.Go(func() { f.run(ctx) })
	}
	r.sweeper.Start(r.opts.SweepEvery, func(context.Context) { r.set.Sweep(r.opts.SweepNow()) })
	return nil
}

func (f *follower) run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		err := f.round(ctx, heartbeat)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		f.fail(err)
		wait := min(retryFirst<<min(failures, 8), retryMost)
		failures++
		_ = sleep(ctx, wait/2+jitter(wait/2)) // the loop looks at ctx
	}
}

// round looks whether the server is still the same one, if it has to, and reads
// what is new, for which it waits no longer than wait.
func (f *follower) round(ctx context.Context, wait time.Duration) error {
	if f.unsure || time.Since(f.looked) >= lookEvery {
		if err := f.look(ctx); err != nil {
			return err
		}
	}
	f.repair(ctx)
	if f.repairing != nil && time.Until(f.repairing.due) <= 0 {
		wait = 0
	}
	sent, wall := time.Since(f.redis.opened), time.Now().UnixNano()
	more, err := f.read(ctx, wait)
	if err != nil {
		f.unsure = true
		return err
	}
	if !more && f.repairing != nil && f.repairing.due.IsZero() {
		f.repairing.due = time.Now().Add(jitter(repairWithin))
	}
	if !more {
		f.recover(sent)
		f.received.Store(int64(sent))
		f.receivedAt.Store(wall)
	}
	return nil
}

// fail remembers since when and why the follower does not hear Redis.
func (f *follower) fail(err error) {
	f.unsure = true
	since := f.redis.opened.Add(max(0, time.Duration(f.received.Load())))
	if old := f.failure.Load(); old != nil {
		since = old.since
	} else {
		f.redis.opts.OnError(fmt.Errorf("following the revocations: %w", err))
	}
	f.failure.Store(&failure{since: since, err: err})
}

// recover forgets a failure that is over, but for how long it was. sent is when
// the read was sent that found everything.
func (f *follower) recover(sent time.Duration) {
	if f.failure.Load() == nil {
		return
	}
	f.failure.Store(nil)
	if began := time.Duration(f.received.Load()); began >= 0 {
		f.outage.Store(&outage{began: f.chained(began), ended: sent})
	}
}

// healthy returns an error when Redis has not responded for failFastAfter.
func (f *follower) healthy() error {
	t := f.failure.Load()
	if t == nil || time.Since(t.since) < failFastAfter {
		return nil
	}
	return session.Unavailable(fmt.Errorf("no response for %v: %w", time.Since(t.since).Round(time.Millisecond), t.err))
}

func (f *follower) isCaughtUp() bool { return f.received.Load() >= 0 }

// outage is a time, since Redis was opened, in which a follower did not hear it.
type outage struct{ began, ended time.Duration }

// chained is when an outage that follows close upon another began for those who
// have waited since the first.
func (f *follower) chained(began time.Duration) time.Duration {
	if last := f.outage.Load(); last != nil && began-last.ended <= auth.RefreshGrace {
		return last.began
	}
	return began
}

// Outage returns how long Redis lately did not respond, and 0 once that is longer
// ago than [auth.RefreshGrace]: see [auth.Config].
func (r *Client) Outage() time.Duration {
	var longest time.Duration
	now := time.Since(r.opened)
	for _, f := range r.followers {
		if last := f.outage.Load(); last != nil && now-last.ended <= auth.RefreshGrace {
			longest = max(longest, last.ended-last.began)
		}
	}
	return longest
}
