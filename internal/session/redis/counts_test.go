package redis_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/session/sessiontest/counts"
)

func TestRedisCounts(t *testing.T) { counts.Conform(t, openStore) }

// TestRedisCountsOfReplicas: two machines that both log users in and out have the same counts.
func TestRedisCountsOfReplicas(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	two := replicas(t, c, 2, redis.Config{})
	c.Moved = func(d time.Duration) { two[0].age(d, 0) }
	counts.Random(t, c, two[0].store, two[1].store)
}

// counted returns the members of the sorted sets for counting, expired or not.
func (r *clientUnderTest) counted() (members []string) {
	r.Helper()
	for _, pattern := range []string{"*:sessions", "*:users"} {
		keys, err := do(r, r.admin, "KEYS", pattern).AsStrSlice()
		sessiontest.Must(r, err)
		for _, key := range keys {
			set, err := do(r, r.admin, "ZRANGE", key, "0", "-1").AsStrSlice()
			sessiontest.Must(r, err)
			members = append(members, set...)
		}
	}
	return members
}

// TestRedisCountsOlderSessions: sessions of a wxgate that did not count are counted after their
// next refresh, and not earlier. Their end must not lower the counts.
func TestRedisCountsOlderSessions(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	r, _ := openWith(t, c, redis.Config{})
	store := storeOn(t, r, c)
	kept := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	ended := sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	oneOfTwo := sessiontest.Begin(t, store, sessiontest.Alice, c, "k3")
	for _, pattern := range []string{"*:sessions", "*:users"} {
		keys, err := do(t, r.admin, "KEYS", pattern).AsStrSlice()
		sessiontest.Must(t, err)
		for _, key := range keys {
			do(t, r.admin, "DEL", key)
		}
	}
	want := func(n int) {
		t.Helper()
		if got, known := r.Counts(t.Context()); !known || got != (session.Counts{Sessions: n, Users: n}) {
			t.Errorf("Counts returned %+v, known %v; want %d of each", got, known, n)
		}
	}
	want(0)
	sessiontest.End(t, store, ended.ID)
	sessiontest.End(t, store, oneOfTwo.ID)
	want(0)
	sessiontest.Must(t, store.Update(t.Context(), kept.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
	want(1)
}

// TestRedisForgetsExpired: expired members are removed from the sorted sets for counting by later
// logins, a few at a time, and all members of a user by an erasure.
func TestRedisForgetsExpired(t *testing.T) {
	t.Parallel()
	const begun = 40
	c := sessiontest.NewClock()
	r, _ := openWith(t, c, redis.Config{})
	store := storeOn(t, r, c)
	for range begun {
		sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		c.Advance(time.Millisecond)
	}
	c.Advance(sessiontest.Idle)
	// Another session keeps the sets alive: they expire with their last member.
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
	left := len(r.counted())
	if left >= begun {
		t.Errorf("%d members are left after a login, of %d sessions", left, begun)
	}
	if got, known := r.Counts(t.Context()); !known || got != (session.Counts{Sessions: 1, Users: 1}) {
		t.Errorf("Counts returned %+v, known %v", got, known)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Erase(t.Context(), sessiontest.Alice, c.Now(), time.Time{})))
	if members := r.counted(); len(members) != 0 {
		t.Errorf("left after the erasure: %d of %d", len(members), left)
	}
}
