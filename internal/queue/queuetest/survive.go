package queuetest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// OpenDurable returns an empty store, and a function that opens it again as the next process does.
type OpenDurable func(t testing.TB, limits queue.Limits) (s queue.Store, reopen func() queue.Store)

// Survive tests that a store outlives its process.
func Survive(t *testing.T, open OpenDurable) {
	t.Helper()
	s, reopen := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("b", "b1"), entry("a", "a2"), entry("c", "c1"), entry("d", "d1"), entry("e", "e1"))
	must(t, s.Mark(t.Context(), entry("lost", "l1")))
	once(t, s, entry("g", "g1"), time.Hour)
	first := claimAll(t, s, "a1", "b1", "c1", "d1", "e1", "g1", "l1")
	must(t, s.Done(t.Context(), first["g1"]))
	retried := first["a1"]
	retried.Started, retried.Next, retried.Reason = now(), now().Add(time.Hour), "status 503"
	must(t, s.Retry(t.Context(), retried, "a/a1"))
	must(t, s.Done(t.Context(), first["b1"]))
	must(t, s.Bury(t.Context(), first["c1"]))
	must(t, s.Bury(t.Context(), first["d1"]))
	must(t, s.Retry(t.Context(), first["e1"], "e"))
	must(t, s.Retry(t.Context(), first["l1"], "lost"))
	second := claimAll(t, s, "a2", "e1", "l1")
	must(t, s.Done(t.Context(), second["a2"]))
	must(t, s.Retry(t.Context(), second["e1"], "e"))
	must(t, s.Retry(t.Context(), second["l1"], "lost"))
	wantResent(t, s, 1, "c1")
	before := wantStatus(t, s, 4, 1)

	s = reopen()
	if after := wantStatus(t, s, 4, 1); after.Bytes != before.Bytes || !after.Oldest.Equal(before.Oldest) {
		t.Errorf("status %+v, was %+v", after, before)
	}
	wantDead(t, s, "d1")
	third := claimAll(t, s, "c1", "e1", "l1") // a1 is not due for an hour
	if e := third["e1"]; string(e.Payload) != "sealed e1" || e.Attempts != 3 {
		t.Errorf("claimed %+v", e)
	}
	if once(t, s, entry("g", "g1"), time.Hour) {
		t.Error("an entry that was delivered before is added again")
	}
	appendAll(t, s, entry("f", "f1"))
	claim(t, s, "f1")
}

// claimAll claims all entries that are due, which must be those with the given IDs, in any
// order.
func claimAll(t testing.TB, s queue.Store, ids ...string) map[string]*queue.Entry {
	t.Helper()
	claimed := make(map[string]*queue.Entry)
	for {
		e, _, err := s.Claim(t.Context(), longLease)
		must(t, err)
		if e == nil {
			break
		}
		claimed[e.ID] = e
	}
	if got := slices.Sorted(maps.Keys(claimed)); !slices.Equal(got, ids) {
		t.Fatalf("claimed %v, want %v", got, ids)
	}
	return claimed
}
