package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// TestFull: messages that find no room are dropped and counted, and one message reports them.
// Nothing that was queued is lost.
func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := run(t, queue.NewLocal(queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 10}, nil))
		defer l.stop()
		up := false
		l.fail = func(queue.Message, int) error {
			if up {
				return nil
			}
			return status(503)
		}
		for i := range 25 {
			l.put(fmt.Sprint(i), fmt.Sprintf("%d-1", i))
		}
		time.Sleep(time.Second / 4)
		l.put("late", "99-1")
		time.Sleep(time.Minute)
		l.receiver.mu.Lock()
		up = true
		l.receiver.mu.Unlock()
		time.Sleep(6 * time.Minute)
		got := l.accepted()
		if n := len(got); n != 12 || !slices.Contains(got, "lost") {
			t.Errorf("accepted %d messages: %v", n, got) // 10, and two "lost": one was attempted before the late message was lost
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.counts[queue.Dropped] != 16 || l.counts[queue.Queued] != 10 {
			t.Errorf("observed %v", l.counts)
		}
	})
}

// stuckStore does not respond until the test allows it.
type stuckStore struct {
	queue.Store
	free chan struct{}
}

func (s *stuckStore) Append(ctx context.Context, entries []*queue.Entry) (int, error) {
	select {
	case <-s.free:
		return s.Store.Append(ctx, entries)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// TestPutNeverWaits: if the store does not respond, Put returns at once, even when memory has no
// more room. Once the store responds, every message that had room is delivered, and one message
// reports the others.
func TestPutNeverWaits(t *testing.T) {
	t.Parallel()
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		stuck := &stuckStore{queue.NewLocal(queue.Limits{Entries: 2 * many, Bytes: 1 << 30, Dead: 1}, nil), make(chan struct{})}
		l := run(t, stuck)
		defer l.stop()
		began := time.Now()
		for i := range many {
			l.put(fmt.Sprint(i), fmt.Sprintf("%d-1", i))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("putting took %v", took)
		}
		time.Sleep(time.Hour)
		close(stuck.free)
		time.Sleep(time.Minute)
		got := l.accepted()
		l.mu.Lock()
		defer l.mu.Unlock()
		if dropped := l.counts[queue.Dropped]; dropped == 0 || len(got) != many-dropped+1 || !slices.Contains(got, "lost") {
			t.Errorf("%d accepted, %d dropped of %d", len(got), dropped, many)
		}
	})
}

// brokenStore cannot store messages until it is repaired.
type brokenStore struct {
	queue.Store
	repaired atomic.Bool
}

var errDisk = errors.New("no space left on device")

func (s *brokenStore) Append(ctx context.Context, entries []*queue.Entry) (int, error) {
	if !s.repaired.Load() {
		return 0, errDisk
	}
	return s.Store.Append(ctx, entries)
}

// TestStoreFails: messages wait in memory until they can be stored.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := &brokenStore{Store: queue.NewLocal(limits, nil)}
		l := run(t, broken)
		defer l.stop()
		n := l.users(10, 3)
		time.Sleep(time.Hour + time.Second/2)
		broken.repaired.Store(true)
		time.Sleep(2 * time.Second)
		wantOrder(t, l.accepted(), n)
	})
}

// TestStop: messages that were put before the end are stored, and the next process delivers them.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := queue.NewLocal(limits, nil)
		first := run(t, store)
		first.fail = func(queue.Message, int) error { return status(503) }
		n := first.users(10, 3)
		first.stop()
		first.put("too", "late")
		second := run(t, store)
		defer second.stop()
		time.Sleep(time.Minute)
		wantOrder(t, second.accepted(), n)
	})
}

// TestStopAfterALoss: the message that reports lost messages is stored at the end too.
func TestStopAfterALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := queue.NewLocal(queue.Limits{Entries: 1, Bytes: 1 << 20, Dead: 1}, nil)
		first := run(t, store)
		first.fail = func(queue.Message, int) error { return status(503) }
		first.put("alice", "1-1")
		first.put("bob", "2-1")
		first.stop()
		second := run(t, store)
		defer second.stop()
		time.Sleep(time.Minute)
		got := second.accepted()
		slices.Sort(got) // both are due at once, in different orders: either may come first
		if !slices.Equal(got, []string{"1-1", "lost"}) {
			t.Errorf("accepted %v", got)
		}
	})
}

// TestStopDuringACall: a call in progress when the process ends is interrupted, and the next
// process repeats it.
func TestStopDuringACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := queue.NewLocal(limits, nil)
		first := run(t, store)
		route := first.route(t)
		route.Send = func(ctx context.Context, _ queue.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}
		release := first.Use(route)
		first.put("alice", "1-1")
		synctest.Wait()
		began := time.Now()
		first.stop()
		release()
		if took := time.Since(began); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		second := run(t, store)
		defer second.stop()
		time.Sleep(time.Second)
		wantOrder(t, second.accepted(), 1)
	})
}

// TestCallIsBounded: a receiver that never responds costs ten seconds an attempt.
func TestCallIsBounded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		route := l.route(t)
		var took []time.Duration
		route.Send = func(ctx context.Context, _ queue.Message) error {
			began := time.Now()
			<-ctx.Done()
			took = append(took, time.Since(began))
			return ctx.Err()
		}
		defer l.Use(route)()
		l.put("alice", "x")
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if len(took) != 1 || took[0] != 10*time.Second {
			t.Errorf("attempts took %v", took)
		}
	})
}

// TestUse: of several configurations the last one counts, until it is released. A configuration
// without Send queues nothing.
func TestUse(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		other := new(receiver)
		route := l.route(t)
		route.Send = other.send
		release := l.Use(route)
		l.put("alice", "1-1")
		synctest.Wait()
		rest := l.Use(new(queue.Route))
		release()
		l.put("alice", "not sent")
		rest()
		l.put("alice", "1-2")
		synctest.Wait()
		if a, b := other.accepted(), l.accepted(); !slices.Equal(a, []string{"1-1"}) || !slices.Equal(b, []string{"1-2"}) {
			t.Errorf("accepted %v and %v", a, b)
		}
	})
}
