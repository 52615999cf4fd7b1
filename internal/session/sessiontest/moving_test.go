package sessiontest_test

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestCopyBothWays: a store copied to Redis, and from there to a file, has the same content as
// the first store, also when any of it is copied again.
func TestCopyBothWays(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	from, via, to := openFileStore(t, c), openRedisStore(t, c), openFileStore(t, c)
	service := sessiontest.ServiceOver(from, c.Now, sessiontest.KeyOne)
	login, err := service.Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceOther})
	sessiontest.Must(t, err)
	again, err := service.Login(t.Context(), "wx1", "alice k2", auth.Client{Device: auth.DeviceOther})
	sessiontest.Must(t, err)
	spent, err := service.Refresh(t.Context(), again.RefreshToken, sessiontest.AnyApp)
	sessiontest.Must(t, err)
	_, err = service.Login(t.Context(), "wx2", "alice k3", auth.Client{Device: auth.DeviceOther})
	sessiontest.Must(t, err)
	_, err = service.Login(t.Context(), "wx1", "bob k4", auth.Client{Device: auth.DeviceOther})
	sessiontest.Must(t, err)
	sessiontest.Must(t, service.Logout(t.Context(), &login.Identity, false))
	sessiontest.Must(t, sessiontest.ErrOf(from.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
	sessiontest.Must(t, from.RevokeKey(t.Context(), "key9", c.Now().Add(sessiontest.Access)))
	expired := sessiontest.NewSession(auth.User{App: "wx1", OpenID: "carol"}, c)
	expired.IdleEnd = c.Now().Add(time.Minute)
	sessiontest.Must(t, sessiontest.ErrOf(from.Create(t.Context(), expired, auth.SessionKey{Key: "k5"}, auth.SessionLimit{})))
	c.Advance(2 * time.Minute)
	want := sessiontest.Content(t, from)
	if len(want) != 2+2+3 { // sessions, keys, revocations
		t.Fatalf("%d entries: %v", len(want), want)
	}
	for range 2 {
		sessiontest.CopyStore(t, from, via)
		sessiontest.CopyStore(t, via, to)
		if got := sessiontest.Content(t, via); !reflect.DeepEqual(got, want) {
			t.Fatalf("Redis has\n%v, want\n%v", got, want)
		}
		if got := sessiontest.Content(t, to); !reflect.DeepEqual(got, want) {
			t.Fatalf("the file has\n%v, want\n%v", got, want)
		}
		for name, store := range map[string]sessiontest.Store{"Redis": via, "the file": to} {
			if n, known := store.Gauge(t.Context()); !known || n != (session.Counts{Sessions: 2, Users: 2}) {
				t.Errorf("%s counts %+v, known %v, after a copy of two sessions of two users", name, n, known)
			}
		}
	}
	// A client continues with its token on either store.
	for _, store := range []sessiontest.Store{via, to} {
		if _, err := sessiontest.ServiceOver(store, c.Now, sessiontest.KeyOne).Refresh(t.Context(), spent.RefreshToken, sessiontest.AnyApp); err != nil {
			t.Error(err)
		}
		if !store.Set.Revoked(&login.Identity) {
			t.Error("a revocation was not in effect when the import returned")
		}
	}
	// The older record does not replace the newer one.
	sessiontest.CopyStore(t, from, via)
	for _, store := range []sessiontest.Store{via, to} {
		if got := sessiontest.Content(t, store); len(got) != len(want) || reflect.DeepEqual(got, want) {
			t.Error("an import undid a refresh")
		}
	}
}

// TestCopyEndsWhatWasEnded: a session that ended at the source between two copies is ended at the
// target by the second copy.
func TestCopyEndsWhatWasEnded(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, *sessiontest.Clock) sessiontest.Store{"file": openFileStore, "redis": openRedisStore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sessiontest.NewClock()
			from, to := openFileStore(t, c), open(t, c)
			kept, ended, byUser := sessiontest.Begin(t, from, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, from, sessiontest.Alice, c, "k2"), sessiontest.Begin(t, from, sessiontest.Bob, c, "k3")
			sessiontest.CopyStore(t, from, to)
			sessiontest.End(t, from, ended.ID)
			sessiontest.Must(t, sessiontest.ErrOf(from.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
			sessiontest.CopyStore(t, from, to)
			sessiontest.CopyStore(t, from, to)
			sessiontest.WantNoSession(t, to, "ended", ended.ID)
			sessiontest.WantNoSession(t, to, "ended by user", byUser.ID)
			if keys := sessiontest.KeysOf(t, to, sessiontest.Bob); len(keys) != 0 {
				t.Errorf("keys %v", keys)
			}
			if _, err := to.Session(t.Context(), kept.ID); err != nil {
				t.Error(err)
			}
			sessions := 0
			for _, e := range sessiontest.Export(t, to) {
				if e.Session != nil {
					sessions++
				}
			}
			if sessions != 1 {
				t.Errorf("%d sessions", sessions)
			}
			// A session that the target knows as revoked is not imported.
			sessiontest.Must(t, to.Store.(sessiontest.Mover).Import(t.Context(), session.Entry{Session: byUser}))
			sessiontest.Must(t, to.Store.(sessiontest.Mover).Import(t.Context(), session.Entry{Session: ended}))
			sessiontest.WantNoSession(t, to, "imported again", byUser.ID)
			sessiontest.WantNoSession(t, to, "imported again", ended.ID)
		})
	}
}

// TestCopyCarriesReplaced: a copy keeps the replaced sessions, even after their last access
// tokens.
func TestCopyCarriesReplaced(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to func(testing.TB, *sessiontest.Clock) sessiontest.Store
	}{"file to redis": {openFileStore, openRedisStore}, "redis to file": {openRedisStore, openFileStore}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sessiontest.NewClock()
			from, to := test.from(t, c), test.to(t, c)
			first := sessiontest.Begin(t, from, sessiontest.Alice, c, "k1")
			c.Advance(time.Millisecond)
			second := sessiontest.NewSession(sessiontest.Alice, c)
			ended, err := from.Create(t.Context(), second, auth.SessionKey{}, auth.SessionLimit{Sessions: 1})
			if err != nil || len(ended) != 1 {
				t.Fatalf("got %v, %v", ended, err)
			}
			c.Advance(sessiontest.Access + time.Minute)
			sessiontest.CopyStore(t, from, to)
			sessiontest.CopyStore(t, from, to)
			sessiontest.WantNoSession(t, to, "replaced", first.ID)
			if !to.Set.Replaced(first.ID) || to.Set.Replaced(second.ID) {
				t.Errorf("replaced: the first %v, the second %v", to.Set.Replaced(first.ID), to.Set.Replaced(second.ID))
			}
			sessiontest.Must(t, sessiontest.ErrOf(to.Session(t.Context(), second.ID)))
		})
	}
}

// TestCopyCarriesAttempts: a copy keeps failed attempts to decrypt; otherwise each copy would give
// a user new attempts. A repeated copy does not count them twice.
func TestCopyCarriesAttempts(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string][2]func(testing.TB, *sessiontest.Clock) sessiontest.Store{"to Redis": {openFileStore, openRedisStore}, "to a file": {openRedisStore, openFileStore}, "file to file": {openFileStore, openFileStore}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sessiontest.NewClock()
			from, to := ends[0](t, c), ends[1](t, c)
			sessiontest.Begin(t, from, sessiontest.Alice, c, "k1")
			sessiontest.Begin(t, from, sessiontest.Bob, c, "")
			key := func(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
			until := c.Now().Add(time.Hour)
			attempts := func(store sessiontest.Store, failed int, keys ...auth.KeyAttempts) {
				sessiontest.Must(t, store.UpdateAttempts(t.Context(), sessiontest.Alice, func(a *auth.Attempts) { *a = auth.Attempts{DayEnds: until, Failed: failed, Keys: keys} }))
			}
			locked := auth.KeyAttempts{Key: key(1), Failed: 16, Until: until.Add(time.Minute)}
			attempts(from, 20, locked, auth.KeyAttempts{Key: key(2), Failed: 4, Until: until})
			for range 2 {
				sessiontest.CopyStore(t, from, to)
				if got, want := sessiontest.AttemptsOf(t, to, sessiontest.Alice), sessiontest.AttemptsOf(t, from, sessiontest.Alice); !got.DayEnds.Equal(until) || got.Failed != 20 || !slices.EqualFunc(got.Keys, want.Keys, sameAttempts) {
					t.Fatalf("copied %+v, want %+v", got, want)
				}
			}
			// Attempts that the target counted itself are kept.
			more := auth.KeyAttempts{Key: key(2), Failed: 9, Until: until.Add(2 * time.Minute)}
			other := auth.KeyAttempts{Key: key(3), Failed: 1, Until: until}
			attempts(to, 30, more, other)
			sessiontest.CopyStore(t, from, to)
			if got := sessiontest.AttemptsOf(t, to, sessiontest.Alice); got.Failed != 30 || !slices.EqualFunc(got.Keys, []auth.KeyAttempts{more, other, locked}, sameAttempts) {
				t.Errorf("merged %+v", got)
			}
			if got := sessiontest.AttemptsOf(t, to, sessiontest.Bob); !got.Empty() {
				t.Errorf("bob, who has no failures, has %+v", got)
			}
			c.Advance(2 * time.Hour)
			fresh := ends[1](t, c)
			sessiontest.CopyStore(t, from, fresh)
			if got := sessiontest.AttemptsOf(t, fresh, sessiontest.Alice); !got.Empty() {
				t.Errorf("expired attempts were copied: %+v", got)
			}
		})
	}
}

func sameAttempts(a, b auth.KeyAttempts) bool {
	return bytes.Equal(a.Key, b.Key) && a.Failed == b.Failed && a.Pending == b.Pending && a.Until.Equal(b.Until)
}

func openFileStore(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
	t.Helper()
	file, err := bolt.Open(filepath.Join(t.TempDir(), "sessions.db"), session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, file.Close()) })
	store, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	sessiontest.Must(t, err)
	return sessiontest.Store{Store: store, Set: file.Revocations(), Gauge: file.Counts}
}

func openRedisStore(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
	t.Helper()
	addr, database := sessiontest.SharedRedis(t)
	cfg := redis.Config{Addresses: []string{addr}, Database: database}
	client, err := redis.Open(t.Context(), cfg, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, client.Close()) })
	store, err := client.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	sessiontest.Must(t, err)
	return sessiontest.Store{Store: store, Set: client.Revocations(), Gauge: client.Counts}
}
