package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// moving is a store that can be copied.
type moving interface {
	auth.Store
	Export(ctx context.Context, do func(session.Entry) error) error
	Import(ctx context.Context, e session.Entry) error
}

func export(t testing.TB, store opened) []session.Entry {
	t.Helper()
	var all []session.Entry
	must(t, store.Store.(moving).Export(t.Context(), func(e session.Entry) error {
		all = append(all, e)
		return nil
	}))
	return all
}

func copyStore(t testing.TB, from, to opened) {
	t.Helper()
	for _, e := range export(t, from) {
		must(t, to.Store.(moving).Import(t.Context(), e))
	}
}

// content is what a store exports, in one order.
func content(t testing.TB, store opened) []string {
	t.Helper()
	var lines []string
	for _, e := range export(t, store) {
		switch {
		case e.Session != nil:
			lines = append(lines, fmt.Sprintf("session %+v", *e.Session))
		case e.Keys != nil:
			lines = append(lines, fmt.Sprintf("keys of %v: %v", e.User, e.Keys))
		case e.Attempts != nil:
			lines = append(lines, fmt.Sprintf("attempts of %v: %+v", e.User, *e.Attempts))
		default:
			lines = append(lines, fmt.Sprintf("revocation %+v", *e.Revocation))
		}
	}
	slices.Sort(lines)
	return lines
}

// A store copied to Redis and from there to a file says what the first says, and
// so it does when any of it is copied again.
func TestCopyBothWays(t *testing.T) {
	t.Parallel()
	c := newClock()
	from, via, to := openBolt(t, c), openRedis(t, c), openBolt(t, c)
	service := serviceOver(from, c.Now, keyOne)
	login, err := service.Login(t.Context(), "wx1", "alice k1")
	must(t, err)
	again, err := service.Login(t.Context(), "wx1", "alice k2")
	must(t, err)
	spent, err := service.Refresh(t.Context(), again.RefreshToken, anyApp)
	must(t, err)
	_, err = service.Login(t.Context(), "wx2", "alice k3")
	must(t, err)
	_, err = service.Login(t.Context(), "wx1", "bob k4")
	must(t, err)
	must(t, service.Logout(t.Context(), &login.Identity, false))
	must(t, errOf(from.EndUser(t.Context(), bob, c.Now(), time.Time{})))
	must(t, from.RevokeKey(t.Context(), "key9", c.Now().Add(access)))
	over := sessionOf(auth.User{App: "wx1", OpenID: "carol"}, c)
	over.IdleEnd = c.Now().Add(time.Minute)
	must(t, from.Create(t.Context(), over, auth.SessionKey{Key: "k5"}))
	c.advance(2 * time.Minute)
	want := content(t, from)
	if len(want) != 2+2+3 { // sessions, keys, revocations
		t.Fatalf("%d entries: %v", len(want), want)
	}
	for range 2 {
		copyStore(t, from, via)
		copyStore(t, via, to)
		if got := content(t, via); !reflect.DeepEqual(got, want) {
			t.Fatalf("Redis has\n%v, want\n%v", got, want)
		}
		if got := content(t, to); !reflect.DeepEqual(got, want) {
			t.Fatalf("the file has\n%v, want\n%v", got, want)
		}
	}
	// A client goes on with the token it has, on either.
	for _, store := range []opened{via, to} {
		if _, err := serviceOver(store, c.Now, keyOne).Refresh(t.Context(), spent.RefreshToken, anyApp); err != nil {
			t.Error(err)
		}
		if !store.set.Revoked(&login.Identity) {
			t.Error("a revocation was not in force when the import returned")
		}
	}
	// And the older record does not come back over the newer one.
	copyStore(t, from, via)
	for _, store := range []opened{via, to} {
		if got := content(t, store); len(got) != len(want) || reflect.DeepEqual(got, want) {
			t.Error("an import took a refresh back")
		}
	}
}

// What was logged out at the source between two copies is logged out at the
// target by the second.
func TestCopyEndsWhatWasEnded(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, *clock) opened{"file": openBolt, "redis": openRedis} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			from, to := openBolt(t, c), open(t, c)
			kept, ended, byUser := begin(t, from, alice, c, "k1"), begin(t, from, alice, c, "k2"), begin(t, from, bob, c, "k3")
			copyStore(t, from, to)
			end(t, from, ended.ID)
			must(t, errOf(from.EndUser(t.Context(), bob, c.Now(), time.Time{})))
			copyStore(t, from, to)
			copyStore(t, from, to)
			wantNoSession(t, to, "ended", ended.ID)
			wantNoSession(t, to, "ended by user", byUser.ID)
			if keys := keysOf(t, to, bob); len(keys) != 0 {
				t.Errorf("keys %v", keys)
			}
			if _, err := to.Session(t.Context(), kept.ID); err != nil {
				t.Error(err)
			}
			if stats := to.stats(); stats.Sessions != 1 || stats.Users != 1 {
				t.Errorf("%+v", stats)
			}
			// Nor does a session come back that the target knows to be revoked.
			must(t, to.Store.(moving).Import(t.Context(), session.Entry{Session: byUser}))
			must(t, to.Store.(moving).Import(t.Context(), session.Entry{Session: ended}))
			wantNoSession(t, to, "imported again", byUser.ID)
			wantNoSession(t, to, "imported again", ended.ID)
		})
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := openRedis(t, c).Store.(moving)
	old := sessionOf(alice, c)
	old.ID = auth.NewSessionID(c.Now(), bob)
	if err := store.Import(t.Context(), session.Entry{Session: old}); !errors.Is(err, session.ErrOldSessionID) {
		t.Errorf("got %v, want ErrOldSessionID", err)
	}
	if err := store.Create(t.Context(), old, auth.SessionKey{}); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("got %v, want ErrStoreUnavailable", err)
	}
	for name, e := range map[string]session.Entry{"nothing": {}, "two": {Session: sessionOf(bob, c), Revocation: &auth.Revocation{}}} {
		if err := store.Import(t.Context(), e); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A copy carries failed attempts to decrypt, or each copy would give a user a new
// allowance of them. One that is repeated does not count them twice.
func TestCopyCarriesAttempts(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string][2]func(testing.TB, *clock) opened{"to Redis": {openBolt, openRedis}, "to a file": {openRedis, openBolt}, "file to file": {openBolt, openBolt}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			from, to := ends[0](t, c), ends[1](t, c)
			begin(t, from, alice, c, "k1")
			begin(t, from, bob, c, "")
			key := func(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
			until := c.Now().Add(time.Hour)
			attempts := func(store opened, failed int, keys ...auth.KeyAttempts) {
				must(t, store.UpdateAttempts(t.Context(), alice, func(a *auth.Attempts) { *a = auth.Attempts{DayEnds: until, Failed: failed, Keys: keys} }))
			}
			locked := auth.KeyAttempts{Key: key(1), Failed: 16, Until: until.Add(time.Minute)}
			attempts(from, 20, locked, auth.KeyAttempts{Key: key(2), Failed: 4, Until: until})
			for range 2 {
				copyStore(t, from, to)
				if got, want := attemptsOf(t, to, alice), attemptsOf(t, from, alice); !got.DayEnds.Equal(until) || got.Failed != 20 || !slices.EqualFunc(got.Keys, want.Keys, sameAttempts) {
					t.Fatalf("copied %+v, want %+v", got, want)
				}
			}
			// What the target counted itself stays.
			more := auth.KeyAttempts{Key: key(2), Failed: 9, Until: until.Add(2 * time.Minute)}
			other := auth.KeyAttempts{Key: key(3), Failed: 1, Until: until}
			attempts(to, 30, more, other)
			copyStore(t, from, to)
			if got := attemptsOf(t, to, alice); got.Failed != 30 || !slices.EqualFunc(got.Keys, []auth.KeyAttempts{more, other, locked}, sameAttempts) {
				t.Errorf("merged %+v", got)
			}
			if got := attemptsOf(t, to, bob); !got.Empty() {
				t.Errorf("bob, who failed at nothing, has %+v", got)
			}
			c.advance(2 * time.Hour)
			fresh := ends[1](t, c)
			copyStore(t, from, fresh)
			if got := attemptsOf(t, fresh, alice); !got.Empty() {
				t.Errorf("what is over was copied: %+v", got)
			}
		})
	}
}

func sameAttempts(a, b auth.KeyAttempts) bool {
	return bytes.Equal(a.Key, b.Key) && a.Failed == b.Failed && a.Pending == b.Pending && a.Until.Equal(b.Until)
}
