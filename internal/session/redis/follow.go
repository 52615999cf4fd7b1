package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

const (
	// heartbeat is how long a read of the streams waits for new entries, and thus how often
	// Redis responds if there are none.
	heartbeat = 500 * time.Millisecond
	// failFastAfter is how long after the last response operations start to fail at once, if a
	// read failed. A lost connection is restored within this time, even though up to a
	// heartbeat has passed by then.
	failFastAfter = time.Second
	// retryFirst and retryMost bound the wait between the attempts of a follower.
	retryFirst = 20 * time.Millisecond
	retryMost  = 500 * time.Millisecond

	// replicaNameLength is 30 bits. If two replicas had the same name, the only effect would
	// be that a histogram lacks each other's revocations.
	replicaNameLength = 6
)

// follower reads streams in a loop: all of them, or one in a Cluster. It owns its
// goroutine; fields that others read are atomic.
type follower struct {
	redis   *Client
	streams []tracked

	// received is when the last read that found all entries was sent, since Redis was
	// opened; -1 before the first.
	received   atomic.Int64
	receivedAt atomic.Int64            // the same by the wall clock, in Unix nanoseconds
	failure    atomic.Pointer[failure] // nil while Redis responds
	outage     atomic.Pointer[outage]  // the last outage that ended; nil before the first

	// Only the goroutine uses the rest.
	server    string     // the server that was read last
	looked    time.Time  // when the server was last checked
	unsure    bool       // whether the server must be checked
	repairing *repairJob // nil unless entries may have been lost
}

// failure is why a follower gets no response, and since when it gets none.
type failure struct {
	since time.Time
	err   error
}

func (r *Client) newFollowers() []*follower {
	streams := make([]tracked, layout.HashTags)
	for tag := range streams {
		streams[tag] = tracked{tag: byte(tag), key: r.streamKey(byte(tag))}
	}
	if !r.cfg.Cluster {
		return []*follower{newFollower(r, streams)}
	}
	followers := make([]*follower, layout.HashTags)
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

// followerOf returns the follower of a shard's stream.
func (r *Client) followerOf(shard byte) *follower {
	return r.followers[int(shard)%layout.HashTags%len(r.followers)]
}

// Stale returns the time since this replica last knew every revocation: the longer of the
// times by the monotonic clock and the wall clock. The monotonic clock stops while a
// virtual machine is suspended, so a token that was revoked meanwhile would be accepted
// afterwards. The wall clock may be set back.
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

// catchUp reads all revocations and starts to follow the streams, unless it did so
// before.
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
		_ = step.Sleep(ctx, wait/2+step.Jitter(wait/2)) // the loop checks ctx
	}
}

// round checks the server if that is due, and reads new entries, for which it waits up to
// wait.
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
		f.repairing.due = time.Now().Add(step.Jitter(repairWithin))
	}
	if !more {
		f.recover(sent)
		f.received.Store(int64(sent))
		f.receivedAt.Store(wall)
	}
	return nil
}

// fail records since when and why the follower gets no response.
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

// recover ends a failure and records its duration. sent is when the read that found all
// entries was sent.
func (f *follower) recover(sent time.Duration) {
	if f.failure.Load() == nil {
		return
	}
	f.failure.Store(nil)
	if began := time.Duration(f.received.Load()); began >= 0 {
		f.outage.Store(&outage{began: f.chained(began), ended: sent})
	}
}

// healthy returns an error if Redis has not responded for failFastAfter.
func (f *follower) healthy() error {
	t := f.failure.Load()
	if t == nil || time.Since(t.since) < failFastAfter {
		return nil
	}
	return session.Unavailable(fmt.Errorf("no response for %v: %w", time.Since(t.since).Round(time.Millisecond), t.err))
}

func (f *follower) isCaughtUp() bool { return f.received.Load() >= 0 }

// outage is a period without a response, in times since Redis was opened.
type outage struct{ began, ended time.Duration }

// chained returns the beginning of an outage. If little time passed since the previous outage,
// that is the beginning of the previous one, since clients may have waited through both.
func (f *follower) chained(began time.Duration) time.Duration {
	if last := f.outage.Load(); last != nil && began-last.ended <= auth.RefreshGrace {
		return last.began
	}
	return began
}

// Outage returns the duration of the last outage, and 0 if it ended more than
// [auth.RefreshGrace] ago: see [auth.Config].
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
