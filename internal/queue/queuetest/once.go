package queuetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

func once(t testing.TB, s queue.Store, e *queue.Entry, within time.Duration) (added bool) {
	t.Helper()
	added, err := s.AppendOnce(t.Context(), e, within)
	must(t, err)
	return added
}

// testOnce: an entry is added once, whether it waits, was delivered, or is a dead letter.
func testOnce(t *testing.T, open Open) {
	s := open(t, roomy)
	if !once(t, s, entry("a", "a1"), time.Hour) || once(t, s, entry("a", "a1"), time.Hour) {
		t.Error("an entry was not added, or added twice")
	}
	must(t, s.Done(t.Context(), claim(t, s, "a1")))
	if once(t, s, entry("a", "a1"), time.Hour) {
		t.Error("a delivered entry was added again")
	}
	wantStatus(t, s, 0, 0)
	if !once(t, s, entry("b", "b1"), time.Nanosecond) {
		t.Error("another entry was not added")
	}
	bury(t, s, "b1", "status 400")
	if once(t, s, entry("b", "b1"), time.Nanosecond) {
		t.Error("a dead letter was added again")
	}
	wantDead(t, s, "b1")
}

// testOnceExpires: an ID is forgotten after its time, and then the entry can be added again.
func testOnceExpires(t *testing.T, open Open) {
	s := open(t, roomy)
	for range 3 {
		eventually(t, "the ID is forgotten", func() bool { return once(t, s, entry("a", "a1"), 20*time.Millisecond) })
		must(t, s.Done(t.Context(), claim(t, s, "a1")))
	}
	if once(t, s, entry("a", "a1"), time.Hour) {
		t.Error("the latest addition was forgotten")
	}
}

// testOnceFull: an entry that does not fit is not remembered.
func testOnceFull(t *testing.T, open Open) {
	s := open(t, queue.Limits{Entries: 1, Bytes: 1 << 20, Dead: 1, Seen: 100})
	once(t, s, entry("a", "a1"), time.Hour)
	for range 2 {
		if added, err := s.AppendOnce(t.Context(), entry("a", "a2"), time.Hour); added || !errors.Is(err, queue.ErrFull) {
			t.Fatalf("a full queue: %v, %v", added, err)
		}
	}
	must(t, s.Done(t.Context(), claim(t, s, "a1")))
	if !once(t, s, entry("a", "a2"), time.Hour) {
		t.Error("an entry that did not fit before is not added although there is room")
	}
}

// testOnceLimit: beyond the maximum number, the oldest ID is forgotten.
func testOnceLimit(t *testing.T, open Open) {
	limits := roomy
	limits.Seen = 3
	s := open(t, limits)
	add := func(id string) bool {
		added := once(t, s, entry("a", id), time.Hour)
		if added {
			must(t, s.Done(t.Context(), claim(t, s, id)))
		}
		<-time.After(2 * time.Millisecond) // Redis remembers milliseconds
		return added
	}
	for i := range 5 {
		add(fmt.Sprint("a", i))
	}
	for _, id := range []string{"a4", "a3", "a2"} {
		if add(id) {
			t.Errorf("%s was forgotten", id)
		}
	}
	if !add("a1") {
		t.Error("the oldest ID was not forgotten")
	}
}

// testOnceTogether: of many callers that add one entry at once, one succeeds.
func testOnceTogether(t *testing.T, open Open) {
	s := open(t, roomy)
	var added atomic.Int32
	var adding sync.WaitGroup
	for range 16 {
		adding.Go(func() {
			if ok, err := s.AppendOnce(t.Context(), entry("a", "a1"), time.Hour); err != nil {
				t.Error(err)
			} else if ok {
				added.Add(1)
			}
		})
	}
	adding.Wait()
	if n := added.Load(); n != 1 {
		t.Errorf("added %d times", n)
	}
	wantStatus(t, s, 1, 0)
}
