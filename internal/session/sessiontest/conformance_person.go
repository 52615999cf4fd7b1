package sessiontest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// beginAs creates a session of a user with a unionid.
func beginAs(t *testing.T, store auth.Store, u auth.User, unionid auth.UnionID, c *Clock) *auth.Session {
	t.Helper()
	c.Advance(time.Millisecond)
	s := NewSession(u, c)
	s.UnionID = unionid
	Must(t, ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{})))
	return s
}

func wantUsersOf(t *testing.T, store auth.Store, unionid auth.UnionID, want ...auth.User) {
	t.Helper()
	got, err := store.UsersOf(t.Context(), unionid)
	Must(t, err)
	order := func(a, b auth.User) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.OpenID, b.OpenID)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Errorf("the users of %s are %v, want %v", unionid, got, want)
	}
}

func usersOfPerson(t *testing.T, store Store, c *Clock) {
	first := beginAs(t, store, Alice, "p1", c)
	second := beginAs(t, store, Alice, "p1", c)
	beginAs(t, store, OtherAlice, "p1", c)
	beginAs(t, store, Bob, "p2", c)
	beginAs(t, store, auth.User{App: "wx1", OpenID: "carol"}, "", c)
	for i := range 40 { // more than a file collects before it updates its indexes
		beginAs(t, store, auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprint("o", i))}, auth.UnionID(fmt.Sprint("u", i/2)), c)
	}
	wantUsersOf(t, store, "p1", Alice, OtherAlice)
	wantUsersOf(t, store, "p2", Bob)
	wantUsersOf(t, store, "u7", auth.User{App: "wx1", OpenID: "o14"}, auth.User{App: "wx1", OpenID: "o15"})
	End(t, store, first.ID)
	wantUsersOf(t, store, "p1", Alice, OtherAlice)
	End(t, store, second.ID)
	wantUsersOf(t, store, "p1", OtherAlice)
	Must(t, ErrOf(store.EndUser(t.Context(), OtherAlice, c.Now(), time.Time{})))
	wantUsersOf(t, store, "p1")
	beginAs(t, store, OtherAlice, "p1", c)
	wantUsersOf(t, store, "p1", OtherAlice)
	c.Advance(Idle)
	for _, person := range []auth.UnionID{"p1", "p2", "u7"} {
		wantUsersOf(t, store, person) // expired, but not swept
	}
	Must(t, ErrOf(store.Sweep(t.Context(), c.Now(), 7)))
	wantUsersOf(t, store, "p1")
}

// newUnionID: a login may be the first one that returns a unionid, or return a different one.
func newUnionID(t *testing.T, store Store, c *Clock) {
	early := beginAs(t, store, Alice, "", c)
	wantUsersOf(t, store, "p1")
	late := beginAs(t, store, Alice, "p1", c)
	moved := beginAs(t, store, Alice, "p2", c)
	wantUsersOf(t, store, "p1", Alice)
	wantUsersOf(t, store, "p2", Alice)
	Must(t, store.Update(t.Context(), early.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
	End(t, store, late.ID)
	wantUsersOf(t, store, "p1")
	wantUsersOf(t, store, "p2", Alice)
	End(t, store, moved.ID)
	wantUsersOf(t, store, "p2")
}

// personOutlives: a refreshed session is found as long as it lives.
func personOutlives(t *testing.T, store Store, c *Clock) {
	s := beginAs(t, store, Alice, "p1", c)
	for range 3 { // within Life
		c.Advance(Idle - time.Minute)
		Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.IdleEnd = c.Now().Add(Idle)
			return auth.Save, nil
		}))
	}
	Must(t, ErrOf(store.Sweep(t.Context(), c.Now(), 7)))
	wantUsersOf(t, store, "p1", Alice)
	c.Advance(Idle)
	wantUsersOf(t, store, "p1")
}

// servicePerson finds only the users of one person: the same unionid at another platform or
// another API host names another person.
func servicePerson(t *testing.T, store Store, c *Clock) {
	service := ServiceOver(store, c.Now, KeyOne)
	for app, codes := range map[auth.AppID][]string{"wx1": {"alice k1", "alice k2"}, "wx2": {"a2 k1"}, "qq1": {"alice k1"}} {
		for _, code := range codes {
			must2(service.Login(t.Context(), app, code, auth.Client{Device: auth.DeviceOther}))(t)
		}
	}
	for app, want := range map[auth.AppID][]auth.User{
		"wx1": {{App: "wx1", OpenID: "alice"}, {App: "wx2", OpenID: "a2"}},
		"wx2": {{App: "wx1", OpenID: "alice"}, {App: "wx2", OpenID: "a2"}},
		"qq1": {{App: "qq1", OpenID: "alice"}}, // its scope is another one
	} {
		got, err := service.UsersOf(t.Context(), app, "union")
		slices.SortFunc(got, func(a, b auth.User) int { return cmp.Compare(a.App, b.App) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", app, got, err, want)
		}
	}
	if _, err := service.UsersOf(t.Context(), "wx1", "other"); !errors.Is(err, auth.ErrNoPerson) {
		t.Errorf("unknown unionid: %v, want ErrNoPerson", err)
	}
	if _, err := service.UsersOf(t.Context(), "wx9", "union"); !errors.Is(err, auth.ErrUnknownApp) {
		t.Errorf("an app that is not configured: %v", err)
	}
}
