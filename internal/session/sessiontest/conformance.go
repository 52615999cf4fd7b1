package sessiontest

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Conform tests every rule in the documentation of auth.Store, or only the named ones, on a
// store.
func Conform(t *testing.T, open func(testing.TB, *Clock) Store, only ...string) {
	t.Parallel()
	cases := conformance()
	if len(only) > 0 {
		maps.DeleteFunc(cases, func(name string, _ Case) bool { return !slices.Contains(only, name) })
	}
	Run(t, open, cases)
}

// Case tests one rule in the documentation of auth.Store.
type Case = func(*testing.T, Store, *Clock)

// Run runs each case on a separate store.
func Run(t *testing.T, open func(testing.TB, *Clock) Store, cases map[string]Case) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := NewClock()
			test(t, open(t, c), c)
		})
	}
}

func conformance() map[string]Case {
	return map[string]Case{
		"a session is stored completely":      storesSession,
		"returned values are copies":          returnsCopies,
		"missing session":                     missingSession,
		"expired session":                     expiredSession,
		"keep, save, end":                     verdicts,
		"decide's error":                      decidesError,
		"an update does not change its user":  updateKeepsIdentity,
		"end revokes while tokens live":       endRevokes,
		"end user":                            endUser,
		"end user reaches the newest session": endUserReaches,
		"end user counts":                     endUserCounts,
		"end user without sessions":           endUserWithoutSessions,
		"end user of lost sessions":           endUserOfLostSessions,
		"erase":                               erase,
		"erase of an unknown user":            eraseUnknown,
		"erase of a revoked user":             eraseRevoked,
		"erase keeps attempts":                eraseKeepsAttempts,
		"erase ends open responses":           eraseEndsStreams,
		"created too early":                   createdTooEarly,
		"revocations only grow":               revocationsGrow,
		"revoke session":                      revokeLostSession,
		"revoke key":                          revokeKey,
		"keys: order, cap, drop":              keyOrder,
		"keys: with the last session":         keysEndWithSession,
		"keys: with the last expiry":          keysEndWithTime,
		"sweep":                               sweeps,
		"sweep follows a moved end":           sweepFollows,
		"context is cancelled":                cancelled,
		"list: a user's, newest first":        listUser,
		"list: all, page by page":             listAll,
		"list: cursors":                       listCursors,
		"race: list and logins":               raceList,
		"person: its users":                   usersOfPerson,
		"person: a new unionid":               newUnionID,
		"person: while a session lives":       personOutlives,
		"service: the users of a person":      servicePerson,
		"attempts are kept":                   attemptsKept,
		"attempts that are empty":             attemptsEmptied,
		"attempts are swept":                  attemptsSwept,
		"race: attempts of one user":          raceAttempts,
		"race: updates of one session":        raceUpdates,
		"race: end and update":                raceEndUpdate,
		"race: end user and create":           raceEndUserCreate,
		"race: creates of one user":           raceCreates,
		"race: one refresh token":             raceRefresh,
		"service: a session's life":           serviceLife,
		"service: sessions for operators":     serviceSessions,
		"service: the record of a user":       serviceUser,
	}
}

func storesSession(t *testing.T, store Store, c *Clock) {
	want := NewSession(Alice, c)
	first := auth.NewRefreshToken(want.ID)
	want.Refresh = auth.StartRefresh(first)
	_, err := want.Refresh.Rotate(first, auth.NewRefreshToken(want.ID), c.Now(), auth.RefreshGrace)
	Must(t, err)
	want.Refresh.Replays = 3
	want.Phone, want.Device, want.Risk = "+8610000000000", auth.DeviceAndroid, 3
	Must(t, ErrOf(store.Create(t.Context(), want, auth.SessionKey{}, auth.SessionLimit{})))
	got, err := store.Session(t.Context(), want.ID)
	Must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v, want\n%+v", got, want)
	}
}

func returnsCopies(t *testing.T, store Store, c *Clock) {
	s := NewSession(Alice, c)
	s.Refresh.Successor = []byte("successor")
	Must(t, ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{})))
	spoil := func(s *auth.Session) { s.Phone, s.Refresh.Successor[0] = "spoilt", 'S' }
	spoil(s)
	for range 2 {
		got, err := store.Session(t.Context(), s.ID)
		Must(t, err)
		if got.Phone != "" || string(got.Refresh.Successor) != "successor" {
			t.Fatalf("the store shares memory with the caller: %+v", got)
		}
		spoil(got)
	}
	Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
		spoil(s)
		return auth.Keep, nil
	}))
	keys, err := store.SessionKeys(t.Context(), Alice)
	Must(t, err)
	keys[0].Key = "spoilt"
	got, err := store.Session(t.Context(), s.ID)
	Must(t, err)
	if got.Phone != "" || string(got.Refresh.Successor) != "successor" || KeysOf(t, store, Alice)[0] != "k1" {
		t.Fatalf("the store shares memory with the caller: %+v", got)
	}
}

func missingSession(t *testing.T, store Store, c *Clock) {
	ended := Begin(t, store, Alice, c, "k1")
	End(t, store, ended.ID)
	for name, id := range map[string]auth.SessionID{
		"never created": auth.NewSessionID(c.Now(), Alice), "ended": ended.ID, "invalid ID": "?", "empty": "",
	} {
		WantNoSession(t, store, name, id)
	}
}

// WantNoSession checks that neither Session nor Update finds a session.
func WantNoSession(t *testing.T, store Store, name string, id auth.SessionID) {
	t.Helper()
	if s, err := store.Session(t.Context(), id); !errors.Is(err, auth.ErrNoSession) || s != nil {
		t.Errorf("%s: Session returned %v, %v; want ErrNoSession", name, s, err)
	}
	err := store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) {
		t.Errorf("%s: decide is called", name)
		return auth.Keep, nil
	})
	if !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("%s: Update returned %v, want ErrNoSession", name, err)
	}
}

func expiredSession(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	c.Advance(Idle - time.Microsecond)
	if _, err := store.Session(t.Context(), s.ID); err != nil {
		t.Fatalf("at the last moment: %v", err)
	}
	c.Advance(time.Microsecond)
	WantNoSession(t, store, "idle end", s.ID)
}

func cancelled(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, sessionErr := store.Session(ctx, s.ID)
	_, keysErr := store.SessionKeys(ctx, Alice)
	_, sweepErr := store.Sweep(ctx, c.Now(), 10)
	for name, err := range map[string]error{
		"Create":  ErrOf(store.Create(ctx, NewSession(Bob, c), auth.SessionKey{}, auth.SessionLimit{})),
		"Session": sessionErr,
		"Update": store.Update(ctx, s.ID, func(*auth.Session) (auth.Verdict, error) {
			t.Error("decide is called")
			return auth.End, nil
		}),
		"EndUser":        ErrOf(store.EndUser(ctx, Alice, c.Now(), time.Time{})),
		"Erase":          eraseOf(store.Erase(ctx, Alice, c.Now(), time.Time{})),
		"SessionKeys":    keysErr,
		"PutSessionKey":  store.PutSessionKey(ctx, Alice, auth.SessionKey{Key: "k2"}),
		"DropSessionKey": store.DropSessionKey(ctx, Alice, auth.SessionKey{Key: "k1"}),
		"RevokeSession":  store.RevokeSession(ctx, s.ID, c.Now().Add(Access)),
		"RevokeKey":      store.RevokeKey(ctx, "key1", c.Now().Add(Access)),
		"Sweep":          sweepErr,
	} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: %v, want ErrStoreUnavailable for the cancelled context", name, err)
		}
	}
	if _, err := store.Session(t.Context(), s.ID); err != nil || store.Set.Revoked(Bearer(s)) {
		t.Fatalf("a cancelled call did something: %v", err)
	}
}
