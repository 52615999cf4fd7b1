package queuetest

import (
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

// testRetry: an entry is claimed again when it is due, with its recorded attempts, and before
// later entries of its order.
func testRetry(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"))
	a1 := claim(t, s, "a1")
	a1.Started, a1.Next, a1.Reason = now(), now().Add(time.Hour), "status 503"
	must(t, s.Retry(t.Context(), a1, a1.Order))
	if wait := claimNothing(t, s); wait <= 0 || wait > time.Hour {
		t.Errorf("wait %v, want an hour", wait)
	}
	must(t, s.Done(t.Context(), a1)) // the claim's number is still current
	a2 := claim(t, s, "a2")
	started := now()
	a2.Started, a2.Reason = started, "status 503"
	must(t, s.Retry(t.Context(), a2, a2.Order))
	again := claim(t, s, "a2")
	if again.Attempts != 2 || !again.Started.Equal(started) || again.Reason != "status 503" || !again.Enqueued.Equal(a2.Enqueued) {
		t.Errorf("claimed %+v", again)
	}
}

// testAside: an entry that moved to another order no longer delays later entries.
func testAside(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"))
	a1 := claim(t, s, "a1")
	a1.Next = now().Add(time.Hour)
	must(t, s.Retry(t.Context(), a1, "a/a1"))
	a2 := claim(t, s, "a2")
	claimNothing(t, s)
	must(t, s.Done(t.Context(), a2))
	status := wantStatus(t, s, 1, 0)
	if size := entry("a", "a1").Size(); status.Bytes != size {
		t.Errorf("%d bytes, want %d", status.Bytes, size)
	}
}

func bury(t testing.TB, s queue.Store, id, reason string) {
	t.Helper()
	e := claim(t, s, id)
	e.Started, e.Reason = now(), reason
	must(t, s.Bury(t.Context(), e))
}

// testDead: a dead letter is listed, does not count as waiting, and delays no other entry.
func testDead(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"))
	bury(t, s, "a1", "status 400 invalid_key")
	bury(t, s, "a2", "status 403")
	if status := wantStatus(t, s, 0, 2); status.Bytes != 0 || !status.Oldest.IsZero() {
		t.Errorf("status %+v of an empty queue", status)
	}
	dead, err := s.Dead(t.Context())
	must(t, err)
	if len(dead) != 2 || dead[0].ID != "a1" || dead[0].Reason != "status 400 invalid_key" || dead[0].Attempts != 1 || dead[1].ID != "a2" {
		t.Errorf("dead letters %+v", dead)
	}
	claimNothing(t, s)
}

// testDeadLimit: the oldest dead letter makes room for a new one.
func testDeadLimit(t *testing.T, open Open) {
	s := open(t, queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 2})
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"), entry("a", "a3"))
	for _, id := range []string{"a1", "a2", "a3"} {
		bury(t, s, id, "status 400")
	}
	wantDead(t, s, "a2", "a3")
}

func wantDead(t testing.TB, s queue.Store, want ...string) {
	t.Helper()
	dead, err := s.Dead(t.Context())
	must(t, err)
	var got []string
	for _, e := range dead {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("dead letters %v, want %v", got, want)
	}
}

// testResend: resent dead letters are new entries with the same IDs, behind all others.
func testResend(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("b", "b1"), entry("c", "c1"))
	for _, id := range []string{"a1", "b1", "c1"} {
		bury(t, s, id, "status 400")
	}
	appendAll(t, s, entry("d", "d1"))
	wantResent(t, s, 0, "unknown")
	wantResent(t, s, 1, "b1", "unknown")
	wantDead(t, s, "a1", "c1")
	wantResent(t, s, 2)
	wantResent(t, s, 0)
	wantStatus(t, s, 4, 0)
	for _, id := range []string{"d1", "b1", "a1", "c1"} {
		if e := claim(t, s, id); e.Attempts != 1 || !e.Started.IsZero() || e.Reason != "" || string(e.Payload) != "sealed "+id {
			t.Errorf("resent %+v", e)
		}
	}
}

func wantResent(t testing.TB, s queue.Store, want int, ids ...string) {
	t.Helper()
	if n, err := s.Resend(t.Context(), ids...); err != nil || n != want {
		t.Fatalf("resent %d of %v, want %d: %v", n, ids, want, err)
	}
}

// testResendFull: a letter that does not fit stays a dead letter.
func testResendFull(t *testing.T, open Open) {
	s := open(t, queue.Limits{Entries: 2, Bytes: 1 << 20, Dead: 5})
	appendAll(t, s, entry("a", "a1"), entry("b", "b1"))
	bury(t, s, "a1", "status 400")
	bury(t, s, "b1", "status 400")
	appendAll(t, s, entry("c", "c1"))
	wantResent(t, s, 1)
	wantDead(t, s, "b1")
}

// testLease: an entry whose claim has expired is delivered again, and the old claim settles
// nothing.
func testLease(t *testing.T, open Open) {
	s := open(t, roomy)
	appendAll(t, s, entry("a", "a1"), entry("a", "a2"))
	late, _, err := s.Claim(t.Context(), 20*time.Millisecond)
	must(t, err)
	if idOf(late) != "a1" {
		t.Fatalf("claimed %s", idOf(late))
	}
	var again *queue.Entry
	eventually(t, "the lease ends", func() bool {
		again, _, err = s.Claim(t.Context(), longLease)
		must(t, err)
		return again != nil
	})
	if again.ID != "a1" || again.Attempts != 2 {
		t.Fatalf("claimed %+v", again)
	}
	must(t, s.Done(t.Context(), late))
	must(t, s.Retry(t.Context(), late, "other"))
	must(t, s.Bury(t.Context(), late))
	wantStatus(t, s, 2, 0)
	claimNothing(t, s)
	must(t, s.Done(t.Context(), again))
	claim(t, s, "a2")
}

// testPurge: only old entries are deleted, including dead letters and claimed entries.
func testPurge(t *testing.T, open Open) {
	s := open(t, roomy)
	old := func(order, id string) *queue.Entry {
		e := entry(order, id)
		e.Enqueued = now().Add(-8 * 24 * time.Hour)
		return e
	}
	appendAll(t, s, old("a", "a1"), old("b", "b1"), entry("b", "b2"), old("c", "c1"), entry("d", "d1"))
	bury(t, s, "a1", "status 400")
	claimed := claim(t, s, "b1")
	must(t, s.Purge(t.Context(), now().Add(-7*24*time.Hour)))
	status := wantStatus(t, s, 2, 0)
	if size := entry("b", "b2").Size(); status.Bytes != 2*size {
		t.Errorf("%d bytes, want %d", status.Bytes, 2*size)
	}
	must(t, s.Done(t.Context(), claimed))
	claimAll(t, s, "b2", "d1")
}

// testStatus: the oldest entry is the one that was put first, wherever it is.
func testStatus(t *testing.T, open Open) {
	s := open(t, roomy)
	wantStatus(t, s, 0, 0)
	first := entry("a", "a1")
	first.Enqueued = now().Add(-time.Hour)
	appendAll(t, s, entry("b", "b1"), first)
	if status := wantStatus(t, s, 2, 0); !status.Oldest.Equal(first.Enqueued) || status.Bytes != 2*first.Size() {
		t.Errorf("status %+v", status)
	}
}
