// Package queuetest has the tests that every store of queues passes.
package queuetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// Open returns an empty store, which ends with the test.
type Open func(t testing.TB, limits queue.Limits) queue.Store

// Conform tests a store.
func Conform(t *testing.T, open Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Open){
		"order":       testOrder,
		"twice":       testTwice,
		"limits":      testLimits,
		"mark":        testMark,
		"retry":       testRetry,
		"aside":       testAside,
		"dead":        testDead,
		"dead limit":  testDeadLimit,
		"resend":      testResend,
		"resend full": testResendFull,
		"lease":       testLease,
		"purge":       testPurge,
		"status":      testStatus,
		"claimers":    testClaimers,

		"once":          testOnce,
		"once expires":  testOnceExpires,
		"once full":     testOnceFull,
		"once limit":    testOnceLimit,
		"once together": testOnceTogether,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// roomy are limits that the tests do not reach.
var roomy = queue.Limits{Entries: 1000, Bytes: 1 << 20, Dead: 10, Seen: 100}

// longLease does not end within a test.
const longLease = time.Minute

// entry returns an entry of an order; its ID is unique in the test.
func entry(order, id string) *queue.Entry {
	return &queue.Entry{ID: id, Order: order, Payload: []byte("sealed " + id), Enqueued: now()}
}

// now returns a time that does not change when it is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func appendAll(t testing.TB, s queue.Store, entries ...*queue.Entry) {
	t.Helper()
	added, err := s.Append(t.Context(), entries)
	if err != nil || added != len(entries) {
		t.Fatalf("added %d of %d: %v", added, len(entries), err)
	}
}

// claim claims the entry that is due, which must be the one with the given ID.
func claim(t testing.TB, s queue.Store, id string) *queue.Entry {
	t.Helper()
	e, _, err := s.Claim(t.Context(), longLease)
	if err != nil || e == nil || e.ID != id {
		t.Fatalf("claimed %s, want %s: %v", idOf(e), id, err)
	}
	return e
}

// claimNothing checks that no entry is due.
func claimNothing(t testing.TB, s queue.Store) (wait time.Duration) {
	t.Helper()
	e, wait, err := s.Claim(t.Context(), longLease)
	if err != nil || e != nil {
		t.Fatalf("claimed %s, want nothing: %v", idOf(e), err)
	}
	return wait
}

func idOf(e *queue.Entry) string {
	if e == nil {
		return "nothing"
	}
	return e.ID
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t testing.TB, s queue.Store, entries, dead int) queue.Status {
	t.Helper()
	status, err := s.Status(t.Context())
	must(t, err)
	if status.Entries != entries || status.Dead != dead {
		t.Fatalf("%d entries and %d dead letters, want %d and %d", status.Entries, status.Dead, entries, dead)
	}
	return status
}

// eventually waits until done reports true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(20 * time.Second); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}

// testOrder: entries of one order are delivered one after another; other orders may come between.
func testOrder(t *testing.T, open Open) {
	s := open(t, roomy)
	if wait := claimNothing(t, s); wait <= 0 {
		t.Errorf("an empty queue is due in %v", wait)
	}
	appendAll(t, s, entry("a", "a1"), entry("b", "b1"), entry("a", "a2"), entry("a", "a3"))
	a1 := claim(t, s, "a1")
	if string(a1.Payload) != "sealed a1" || a1.Attempts != 1 || a1.Order != "a" {
		t.Errorf("claimed %+v", a1)
	}
	b1 := claim(t, s, "b1")
	if wait := claimNothing(t, s); wait <= 0 || wait > longLease {
		t.Errorf("the next entry is due in %v", wait)
	}
	must(t, s.Done(t.Context(), a1))
	a2 := claim(t, s, "a2")
	must(t, s.Done(t.Context(), b1))
	must(t, s.Done(t.Context(), a2))
	must(t, s.Done(t.Context(), claim(t, s, "a3")))
	wantStatus(t, s, 0, 0)
}

// testTwice: an entry that is appended again is in the queue once.
func testTwice(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"))
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"))
	wantStatus(t, s, 2, 0)
	must(t, s.Done(t.Context(), claim(t, s, "a1")))
	claim(t, s, "a2")
}

// testLimits: an entry that does not fit is not added; there is room again after an entry was
// delivered.
func testLimits(t *testing.T, open Open) {
	size := entry("a", "00").Size()
	for name, limits := range map[string]queue.Limits{
		"entries": {Entries: 3, Bytes: 1 << 20, Dead: 1},
		"bytes":   {Entries: 100, Bytes: 3*size + size/2, Dead: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, limits)
			var entries []*queue.Entry
			for i := range 5 {
				entries = append(entries, entry("a", fmt.Sprintf("%02d", i)))
			}
			if added, err := s.Append(t.Context(), entries); err != nil || added != 3 {
				t.Fatalf("added %d, %v", added, err)
			}
			if added, err := s.Append(t.Context(), entries[3:]); err != nil || added != 0 {
				t.Fatalf("added %d to a full queue, %v", added, err)
			}
			must(t, s.Done(t.Context(), claim(t, s, "00")))
			if added, err := s.Append(t.Context(), entries[3:]); err != nil || added != 1 {
				t.Fatalf("added %d after one was delivered, %v", added, err)
			}
			if status := wantStatus(t, s, 3, 0); status.Bytes != 3*size {
				t.Errorf("%d bytes, want %d", status.Bytes, 3*size)
			}
		})
	}
}

// testMark: one entry replaces lost entries until it is attempted; the next loss gets another
// entry.
func testMark(t *testing.T, open Open) {
	s := open(t, queue.Limits{Entries: 1, Bytes: 1 << 20, Dead: 1})
	appendAll(t, s, entry("a", "a1"))
	must(t, s.Mark(t.Context(), entry("lost", "l1")))
	must(t, s.Mark(t.Context(), entry("lost", "l2")))
	wantStatus(t, s, 2, 0)
	must(t, s.Done(t.Context(), claim(t, s, "a1")))
	l1 := claim(t, s, "l1")
	must(t, s.Mark(t.Context(), entry("lost", "l3")))
	must(t, s.Mark(t.Context(), entry("lost", "l4")))
	wantStatus(t, s, 2, 0)
	must(t, s.Done(t.Context(), l1))
	must(t, s.Done(t.Context(), claim(t, s, "l3")))
	wantStatus(t, s, 0, 0)
}
