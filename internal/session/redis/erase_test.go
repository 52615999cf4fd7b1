package redis_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// pieces returns all keys, fields and values of a database. Sealed values are not split: all
// values of a process begin with the same bytes.
func (r *clientUnderTest) pieces() map[string]bool {
	r.Helper()
	pieces := make(map[string]bool)
	for _, entry := range r.entries() {
		pieces[strings.Join(entry, " ")] = true
		for _, part := range entry {
			pieces[part] = true
		}
	}
	return pieces
}

// traces returns what operations added to Redis, except for common values such as numbers.
func traces(before, after map[string]bool) (traces []string) {
	for piece := range after {
		least := 16 // bytes; names of users have 22 characters
		if !utf8.ValidString(piece) {
			// Sealed values of one process begin with the same 21 bytes. A line break in a value
			// may cut off just these bytes, which other users' values have too.
			least = 32
		}
		if len(piece) >= least && !before[piece] && !strings.HasSuffix(piece, ":revoked") {
			traces = append(traces, piece)
		}
	}
	return traces
}

// TestEraseLeavesNothingInRedis: after an erasure, Redis has no live key, field or value that the
// user's operations ever wrote on any replica. That includes the first revocation of the user by
// name, and a copy that another replica appends again.
func TestEraseLeavesNothingInRedis(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	two := replicas(t, c, 2, redis.Config{})
	one, other := two[0], two[1]
	sessiontest.Begin(t, one.store, sessiontest.Bob, c, "bob's")
	fails := func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), a.Failed+1 }
	var all []string
	note := func(do func()) {
		before := one.pieces()
		do()
		all = append(all, traces(before, one.pieces())...)
	}
	alice := sessiontest.Alice
	var first *auth.Session
	note(func() { first = sessiontest.Begin(t, one.store, alice, c, "k1") })
	note(func() {
		sessiontest.Must(t, one.store.Update(t.Context(), first.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
	})
	note(func() { sessiontest.Must(t, one.store.UpdateAttempts(t.Context(), alice, fails)) })
	note(func() {
		sessiontest.Must(t, sessiontest.ErrOf(one.store.EndUser(t.Context(), alice, c.Now(), c.Now().Add(sessiontest.Access))))
	})
	c.Advance(time.Minute)
	var second *auth.Session
	note(func() { second = sessiontest.Begin(t, other.store, alice, c, "k2") })
	if len(all) < 12 {
		t.Fatalf("%d traces: the test would prove nothing", len(all))
	}
	eventually(t, "the other replica knows the revocation", func() bool { return other.store.Set.Revoked(sessiontest.Bearer(first)) })
	_, err := one.store.Erase(t.Context(), alice, c.Now(), c.Now().Add(sessiontest.Access))
	sessiontest.Must(t, err)
	wantNoTrace := func(when string) {
		t.Helper()
		left := one.everything()
		for _, trace := range all {
			if strings.Contains(left, trace) {
				t.Errorf("%s: Redis has %q", when, trace)
			}
		}
	}
	wantNoTrace("at once")
	for _, s := range []*auth.Session{first, second} {
		eventually(t, "refused everywhere", func() bool {
			return one.store.Set.Revoked(sessiontest.Bearer(s)) && other.store.Set.Revoked(sessiontest.Bearer(s))
		})
	}
	// Both replicas have forgotten the name, so neither repairs it.
	for _, r := range two {
		for _, rev := range r.store.Set.Active(c.Now()) {
			if rev.User != (auth.User{}) {
				t.Errorf("a replica knows %+v", rev)
			}
		}
	}
	if got := sessiontest.KeysOf(t, one.store, sessiontest.Bob); len(got) != 1 {
		t.Errorf("another user has %d keys", len(got))
	}
	do(t, one.admin, "FLUSHDB")
	eventually(t, "repaired", func() bool {
		n, err := do(t, one.admin, "XLEN", "wxgate:"+tagOf(alice)+":revoked").AsInt64()
		return err == nil && n > 0
	})
	wantNoTrace("after a repair")
}

// TestErasedUserIsNotNamedAgain: an entry by name, appended by a replica that does not know of the
// erasure yet, is deleted too.
func TestErasedUserIsNotNamedAgain(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	two := replicas(t, c, 2, redis.Config{})
	alice := sessiontest.Alice
	stream := "wxgate:" + tagOf(alice) + ":revoked"
	sessiontest.Must(t, sessiontest.ErrOf(two[0].store.EndUser(t.Context(), alice, c.Now(), c.Now().Add(sessiontest.Access))))
	entries, err := do(t, two[0].admin, "XRANGE", stream, "-", "+").AsXRange()
	sessiontest.Must(t, err)
	named := entries[0].FieldValues
	key := two[0].keys("r")[0]
	notAfter, err := do(t, two[0].admin, "GET", key).ToString()
	sessiontest.Must(t, err)
	_, err = two[0].store.Erase(t.Context(), alice, c.Now(), c.Now())
	sessiontest.Must(t, err)
	do(t, two[0].admin, "SET", key, notAfter)
	do(t, two[0].admin, "XADD", stream, "*", "b", named["b"], "u", named["u"], "t", named["t"], "r", named["r"])
	eventually(t, "deleted", func() bool {
		left, err := do(t, two[0].admin, "EXISTS", key).AsInt64()
		sessiontest.Must(t, err)
		entries, err := do(t, two[0].admin, "XRANGE", stream, "-", "+").AsXRange()
		sessiontest.Must(t, err)
		return left == 0 && len(entries) == 1 && entries[0].FieldValues["b"] != named["b"]
	})
	lost := auth.Identity{User: alice, Session: auth.NewSessionID(c.Now().Add(-time.Second), alice)}
	for _, r := range two {
		if !r.store.Set.Revoked(&lost) || r.store.Set.Len() != 1 {
			t.Errorf("a replica has %d revocations", r.store.Set.Len())
		}
	}
}

// TestErasePersonLeavesNothingInRedis: after the users of a person are erased, Redis has no live
// key, field or value that their sessions wrote, including the index of the person.
func TestErasePersonLeavesNothingInRedis(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	two := replicas(t, c, 2, redis.Config{})
	one, other := two[0], two[1]
	begin := func(r replica, u auth.User, unionid auth.UnionID) {
		c.Advance(time.Millisecond)
		s := sessiontest.NewSession(u, c)
		s.UnionID = unionid
		sessiontest.Must(t, sessiontest.ErrOf(r.store.Create(t.Context(), s, auth.SessionKey{Key: "k", ObtainedAt: c.Now()}, auth.SessionLimit{})))
	}
	begin(one, sessiontest.Bob, "other")
	before := one.pieces()
	begin(one, sessiontest.Alice, "union")
	begin(other, sessiontest.OtherAlice, "union")
	begin(other, sessiontest.Alice, "union")
	all := traces(before, one.pieces())
	persons := 0
	for _, trace := range all {
		if strings.Contains(trace, "}:p:") {
			persons++
		}
	}
	if persons == 0 || len(all) < 12 {
		t.Fatalf("%d traces, %d of the person: the test would prove nothing", len(all), persons)
	}
	users, err := other.store.UsersOf(t.Context(), "union")
	sessiontest.Must(t, err)
	if len(users) != 2 {
		t.Fatalf("the person has the users %v", users)
	}
	for _, u := range users {
		_, err := other.store.Erase(t.Context(), u, c.Now(), c.Now().Add(sessiontest.Access))
		sessiontest.Must(t, err)
	}
	left := one.everything()
	for _, trace := range all {
		if strings.Contains(left, trace) {
			t.Errorf("Redis has %q", trace)
		}
	}
	if users, err := one.store.UsersOf(t.Context(), "other"); err != nil || len(users) != 1 {
		t.Errorf("another person has the users %v, %v", users, err)
	}
}
