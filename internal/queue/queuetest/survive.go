package queuetest

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// OpenDurable returns an empty store, and what opens it again as the next process does.
type OpenDurable func(t testing.TB, limits queue.Limits) (s queue.Store, reopen func() queue.Store)

// Survive tests that a store outlives its process.
func Survive(t *testing.T, open OpenDurable) {
	t.Helper()
	s, reopen := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("b", "b1"), entry("a", "a2"), entry("c", "c1"), entry("d", "d1"), entry("e", "e1"))
	must(t, s.Mark(t.Context(), entry("lost", "l1")))
	retried := claim(t, s, "a1")
	retried.Started, retried.Next, retried.Reason = now(), now().Add(time.Hour), "status 503"
	must(t, s.Retry(t.Context(), retried, "a/a1"))
	must(t, s.Done(t.Context(), claim(t, s, "b1")))
	must(t, s.Done(t.Context(), claim(t, s, "a2")))
	bury(t, s, "c1", "status 400")
	bury(t, s, "d1", "status 401")
	wantResent(t, s, 1, "c1")
	before := wantStatus(t, s, 4, 1)

	s = reopen()
	if after := wantStatus(t, s, 4, 1); after.Bytes != before.Bytes || !after.Oldest.Equal(before.Oldest) {
		t.Errorf("status %+v, was %+v", after, before)
	}
	wantDead(t, s, "d1")
	if e := claim(t, s, "e1"); string(e.Payload) != "sealed e1" {
		t.Errorf("payload %q", e.Payload)
	}
	claim(t, s, "l1")
	claim(t, s, "c1")
	claimNothing(t, s) // a1 is due in an hour
	appendAll(t, s, entry("f", "f1"))
	claim(t, s, "f1")
}
