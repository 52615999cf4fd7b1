// Package limits has the tests of the limits of sessions, for every store.
package limits

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// Conform runs the tests of the limits on a store.
func Conform(t *testing.T, open func(testing.TB, *sessiontest.Clock) sessiontest.Store) {
	t.Parallel()
	sessiontest.Run(t, open, map[string]sessiontest.Case{
		"default limit":                         sessionCap,
		"session limit":                         limited,
		"limit per device":                      limitedPerDevice,
		"limit per device and in all":           limitedInAll,
		"a child is stored completely":          storesChild,
		"children end with their parent":        childrenEnd,
		"browser sessions have their own limit": browsersApart,
		"browser sessions per device":           browsersPerDevice,
		"default limit of each kind":            browserCap,
		"a limit that was lowered":              lowered,
		"expired sessions do not count":         expiredDoNotCount,
		"logins at once":                        raceLogins,
	})
}

func sessionCap(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	var all []*auth.Session
	for range auth.MaxUserSessions + 2 {
		all = append(all, sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"))
		c.Advance(time.Millisecond)
	}
	for i, s := range all {
		_, err := store.Session(t.Context(), s.ID)
		if ended := i < 2; (err != nil) != ended || store.Set.Revoked(sessiontest.Bearer(s)) != ended {
			t.Fatalf("session %d of %d: %v, revoked %v", i, len(all), err, store.Set.Revoked(sessiontest.Bearer(s)))
		}
	}
	if store.Set.Replaced(all[0].ID) {
		t.Fatal("the default limit replaces a session")
	}
	if got := store.Count(); got.Sessions != auth.MaxUserSessions || got.Users != 1 {
		t.Fatalf("got %+v", got)
	}
}

// Login begins a session under a limit and returns it with the sessions that it ended.
func Login(t testing.TB, store auth.Store, c *sessiontest.Clock, device auth.Device, limit auth.SessionLimit) (*auth.Session, []auth.SessionID) {
	t.Helper()
	s := sessiontest.NewSession(sessiontest.Alice, c)
	s.Device = device
	replaced, err := store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, limit)
	sessiontest.Must(t, err)
	c.Advance(time.Millisecond)
	return s, replaced
}

func limited(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: 2}
	first, _ := Login(t, store, c, auth.DeviceOther, limit)
	second, replaced := Login(t, store, c, auth.DeviceOther, limit)
	if len(replaced) != 0 {
		t.Fatalf("two of two sessions: %v ended", replaced)
	}
	sessiontest.End(t, store, second.ID)
	Login(t, store, c, auth.DeviceOther, limit)
	if _, replaced = Login(t, store, c, auth.DeviceOther, limit); !slices.Equal(replaced, []auth.SessionID{first.ID}) {
		t.Fatalf("%v ended, want the oldest, %s", replaced, first.ID)
	}
	if !store.Set.Revoked(sessiontest.Bearer(first)) || !store.Set.Replaced(first.ID) {
		t.Fatal("the oldest session is not replaced")
	}
	if !store.Set.Revoked(sessiontest.Bearer(second)) || store.Set.Replaced(second.ID) {
		t.Fatal("a session that was logged out counts as replaced")
	}
	if store.Count().Sessions != 2 {
		t.Fatalf("got %+v", store.Count())
	}
	// Its client retries when the last access token has expired.
	c.Advance(sessiontest.Access + time.Minute)
	sessiontest.Must(t, sessiontest.ErrOf(store.Sweep(t.Context(), c.Now(), 100)))
	_, err := store.Session(t.Context(), first.ID)
	if !errors.Is(err, auth.ErrNoSession) || !errors.Is(err, auth.ErrSessionReplaced) && !store.Set.Replaced(first.ID) {
		t.Fatalf("the replaced session, later: %v", err)
	}
}

func limitedPerDevice(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: 1, PerDevice: true}
	phone, _ := Login(t, store, c, auth.DeviceIOS, limit)
	desktop, replaced := Login(t, store, c, auth.DeviceWindows, limit)
	if len(replaced) != 0 {
		t.Fatalf("another class of devices ended %v", replaced)
	}
	if _, replaced = Login(t, store, c, auth.DeviceIOS, limit); !slices.Equal(replaced, []auth.SessionID{phone.ID}) {
		t.Fatalf("%v ended, want the phone's, %s", replaced, phone.ID)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), desktop.ID)))
}

// limitedInAll begins more sessions than a user may have, on several classes of devices. The
// limit of each class would allow all of them.
func limitedInAll(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: auth.MaxUserSessions, PerDevice: true}
	first, _ := Login(t, store, c, auth.DeviceIOS, limit)
	for range auth.MaxUserSessions - 1 {
		if _, replaced := Login(t, store, c, auth.DeviceWindows, limit); len(replaced) != 0 {
			t.Fatalf("%v ended before the limit", replaced)
		}
	}
	if _, replaced := Login(t, store, c, auth.DeviceAndroid, limit); !slices.Equal(replaced, []auth.SessionID{first.ID}) {
		t.Fatalf("%v ended, want the oldest of all, %s", replaced, first.ID)
	}
}

// browse begins a browser session under a limit and returns it with the sessions that it ended.
func browse(t testing.TB, store auth.Store, c *sessiontest.Clock, door auth.Door, limit auth.SessionLimit) (*auth.Session, []auth.SessionID) {
	t.Helper()
	s := sessiontest.NewSession(sessiontest.Alice, c)
	s.Door = door
	replaced, err := store.Create(t.Context(), s, auth.SessionKey{}, limit)
	sessiontest.Must(t, err)
	c.Advance(time.Millisecond)
	return s, replaced
}

func storesChild(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	child := sessiontest.NewSession(sessiontest.Alice, c)
	child.Door, child.Parent, child.Device = auth.DoorWebView, auth.NewSessionID(c.Now(), sessiontest.Alice), auth.DeviceIOS
	child.Refresh.RotatedAt = c.Now()
	for _, risk := range []auth.Risk{0, 2} {
		child.ID, child.Risk = auth.NewSessionID(c.Now(), sessiontest.Alice), risk
		sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), child, auth.SessionKey{}, auth.SessionLimit{})))
		got, err := store.Session(t.Context(), child.ID)
		sessiontest.Must(t, err)
		if !reflect.DeepEqual(got, child) {
			t.Fatalf("got\n%+v, want\n%+v", got, child)
		}
	}
}

func childrenEnd(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	var reported []auth.SessionID
	service := auth.NewService(auth.Config{
		Store: store, Revocations: store.Set, Browsers: true, Now: c.Now,
		Ended: func(e auth.Ended) { reported = append(reported, e.Session) },
	})
	begin := func(door auth.Door, parent auth.SessionID) *auth.Session {
		c.Advance(time.Millisecond)
		s := sessiontest.NewSession(sessiontest.Alice, c)
		s.Door, s.Parent = door, parent
		sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{}, auth.SessionLimit{})))
		return s
	}
	phone, tablet := begin(auth.DoorMiniProgram, ""), begin(auth.DoorMiniProgram, "")
	child, other, scan := begin(auth.DoorWebView, phone.ID), begin(auth.DoorWebView, tablet.ID), begin(auth.DoorScan, "")
	sessiontest.Must(t, sessiontest.ErrOf(service.EndSession(t.Context(), string(phone.ID))))
	for s, ended := range map[*auth.Session]bool{phone: true, tablet: false, child: true, other: false, scan: false} {
		if _, err := store.Session(t.Context(), s.ID); errors.Is(err, auth.ErrNoSession) != ended || store.Set.Revoked(sessiontest.Bearer(s)) != ended {
			t.Errorf("%s of parent %q: %v, revoked %t; want ended %t", s.Door, s.Parent, err, store.Set.Revoked(sessiontest.Bearer(s)), ended)
		}
	}
	if !slices.Equal(reported, []auth.SessionID{phone.ID, child.ID}) {
		t.Errorf("reported %v, want the phone and its page", reported)
	}
	if n := store.Count().Sessions; n != 3 {
		t.Errorf("%d sessions are left, want 3", n)
	}
}

// browsersApart opens pages from a phone that may have one session: the phone stays logged in,
// and its pages stay logged in when the phone logs in again. The limit applies to each kind.
func browsersApart(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: 1}
	phone, _ := Login(t, store, c, auth.DeviceOther, limit)
	page, replaced := browse(t, store, c, auth.DoorWebView, limit)
	if len(replaced) != 0 {
		t.Fatalf("a page ended %v", replaced)
	}
	second, replaced := browse(t, store, c, auth.DoorScan, limit)
	if !slices.Equal(replaced, []auth.SessionID{page.ID}) || !store.Set.Replaced(page.ID) {
		t.Fatalf("%v ended, want the previous page, %s", replaced, page.ID)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), phone.ID)))
	if _, replaced = Login(t, store, c, auth.DeviceOther, limit); !slices.Equal(replaced, []auth.SessionID{phone.ID}) {
		t.Fatalf("%v ended, want the phone's previous session, %s", replaced, phone.ID)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), second.ID)))
	if got := store.Count().Sessions; got != 2 {
		t.Fatalf("%d sessions, want one of each kind", got)
	}
}

func browsersPerDevice(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: 1, PerDevice: true}
	phone, _ := Login(t, store, c, auth.DeviceOther, limit)
	page, replaced := browse(t, store, c, auth.DoorWebView, limit)
	if len(replaced) != 0 {
		t.Fatalf("a page on the same class of devices ended %v", replaced)
	}
	if _, replaced = browse(t, store, c, auth.DoorWebView, limit); !slices.Equal(replaced, []auth.SessionID{page.ID}) {
		t.Fatalf("%v ended, want the previous page, %s", replaced, page.ID)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), phone.ID)))
}

// browserCap fills each kind: the default limit applies to each.
func browserCap(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	phone, _ := Login(t, store, c, auth.DeviceOther, auth.SessionLimit{})
	var first *auth.Session
	for i := range auth.MaxUserSessions + 1 {
		page, replaced := browse(t, store, c, auth.DoorOfficial, auth.SessionLimit{})
		switch {
		case i == 0:
			first = page
		case i < auth.MaxUserSessions && len(replaced) != 0, i == auth.MaxUserSessions && !slices.Equal(replaced, []auth.SessionID{first.ID}):
			t.Fatalf("page %d ended %v", i, replaced)
		}
	}
	if got := store.Count().Sessions; got != auth.MaxUserSessions+1 {
		t.Fatalf("%d sessions, want %d of browsers and the phone's", got, auth.MaxUserSessions)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), phone.ID)))
}

// lowered has more sessions than a new configuration allows: the next login ends the excess.
func lowered(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	var before []auth.SessionID
	for range 4 {
		s, _ := Login(t, store, c, auth.DeviceOther, auth.SessionLimit{})
		before = append(before, s.ID)
	}
	last, replaced := Login(t, store, c, auth.DeviceOther, auth.SessionLimit{Sessions: 1})
	if !slices.Equal(replaced, before) {
		t.Fatalf("%v ended, want %v", replaced, before)
	}
	if keys := sessiontest.KeysOf(t, store, sessiontest.Alice); !slices.Equal(keys, []string{"k1"}) {
		t.Errorf("session keys %v", keys)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Session(t.Context(), last.ID)))
}

func expiredDoNotCount(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	limit := auth.SessionLimit{Sessions: 1}
	Login(t, store, c, auth.DeviceOther, limit)
	c.Advance(sessiontest.Idle)
	if _, replaced := Login(t, store, c, auth.DeviceOther, limit); len(replaced) != 0 {
		t.Fatalf("an expired session was replaced: %v", replaced)
	}
}

func raceLogins(t *testing.T, store sessiontest.Store, c *sessiontest.Clock) {
	const logins, most = 20, 3
	Race(t, c, logins, most, store)
	if got := store.Count().Sessions; got != most {
		t.Fatalf("%d sessions after %d logins at once, want %d", got, logins, most)
	}
}

// Race logs in at the same time through several stores of the same data. Afterwards each session
// is either alive or was reported as replaced exactly once.
func Race(t *testing.T, c *sessiontest.Clock, logins, most int, stores ...auth.Store) {
	t.Helper()
	var mu sync.Mutex
	begun, replaced := make(map[auth.SessionID]bool), make(map[auth.SessionID]int)
	var all sync.WaitGroup
	for i := range logins {
		s := sessiontest.NewSession(sessiontest.Alice, c)
		all.Go(func() {
			ended, err := stores[i%len(stores)].Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{Sessions: most})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("login %d: %v", i, err)
			}
			begun[s.ID] = true
			for _, id := range ended {
				replaced[id]++
			}
		})
	}
	all.Wait()
	alive := 0
	for id := range begun {
		_, err := stores[0].Session(t.Context(), id)
		if err == nil {
			alive++
		}
		if (err != nil) != (replaced[id] == 1) {
			t.Errorf("%s: %v, reported as replaced %d times", id, err, replaced[id])
		}
	}
	if alive != most {
		t.Errorf("%d sessions are alive after %d logins at once, want %d", alive, logins, most)
	}
}
