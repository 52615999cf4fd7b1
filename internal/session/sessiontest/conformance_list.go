package sessiontest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// listPages reads a list to its end. If between is not nil, it is called after each page.
func listPages(t *testing.T, store auth.Store, q auth.Query, between func()) (ids []auth.SessionID) {
	t.Helper()
	for range 1000 {
		page, err := store.List(t.Context(), q)
		Must(t, err)
		if len(page.Sessions) > q.Limit {
			t.Fatalf("a page of %d sessions, the limit is %d", len(page.Sessions), q.Limit)
		}
		for _, s := range page.Sessions {
			ids = append(ids, s.ID)
		}
		if page.Next == "" {
			return ids
		}
		if q.Cursor = page.Next; between != nil {
			between()
		}
	}
	t.Fatal("the list does not end")
	return nil
}

func listUser(t *testing.T, store Store, c *Clock) {
	if ids := listPages(t, store, auth.Query{User: Alice, Limit: 3}, nil); len(ids) != 0 {
		t.Errorf("a user who never logged in has %v", ids)
	}
	Begin(t, store, Alice, c, "k1")
	c.Advance(Idle) // expired, but not swept
	var want []auth.SessionID
	for i := range 7 {
		c.Advance(time.Second)
		s := Begin(t, store, Alice, c, "k1")
		Begin(t, store, Bob, c, "k1")
		Begin(t, store, OtherAlice, c, "k1")
		if i == 3 {
			End(t, store, s.ID)
			continue
		}
		want = append([]auth.SessionID{s.ID}, want...)
	}
	for limit := 1; limit <= 7; limit++ {
		if got := listPages(t, store, auth.Query{User: Alice, Limit: limit}, nil); !slices.Equal(got, want) {
			t.Errorf("limit %d: got %v, want %v", limit, got, want)
		}
	}
	page, err := store.List(t.Context(), auth.Query{User: Alice, Limit: 1})
	Must(t, err)
	if s, err := store.Session(t.Context(), want[0]); err != nil || fmt.Sprint(*s) != fmt.Sprint(*page.Sessions[0]) {
		t.Errorf("listed as %+v, read as %+v, %v", page.Sessions[0], s, err)
	}
}

func listAll(t *testing.T, store Store, c *Clock) {
	Begin(t, store, Alice, c, "k1")
	c.Advance(Idle)
	var want, ofOther []auth.SessionID
	for i := range 60 {
		c.Advance(time.Millisecond)
		u := auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprint("o", i/2))}
		if i%3 == 0 {
			u.App = "wx2"
		}
		s := Begin(t, store, u, c, "k1")
		if i == 20 {
			End(t, store, s.ID)
			continue
		}
		want = append(want, s.ID)
		if u.App == "wx2" {
			ofOther = append(ofOther, s.ID)
		}
	}
	for _, limit := range []int{1, 7, 59, 500} {
		wantSame(t, fmt.Sprint("limit ", limit), listPages(t, store, auth.Query{Limit: limit}, nil), want)
		wantSame(t, fmt.Sprint("of one app, limit ", limit), listPages(t, store, auth.Query{App: "wx2", Limit: limit}, nil), ofOther)
	}
}

// wantSame compares without order.
func wantSame(t *testing.T, name string, got, want []auth.SessionID) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d sessions, want %d, or they differ", name, len(got), len(want))
	}
}

// listCursors: a cursor is valid for one query only, and a client cannot create one.
func listCursors(t *testing.T, store Store, c *Clock) {
	for range 40 {
		c.Advance(time.Second)
		Begin(t, store, Alice, c, "k1")
		Begin(t, store, Bob, c, "k1")
	}
	next := func(q auth.Query) string {
		page, err := store.List(t.Context(), q)
		Must(t, err)
		if page.Next == "" {
			t.Fatalf("%+v has one page", q)
		}
		return page.Next
	}
	ofAlice, ofAll, ofApp := auth.Query{User: Alice, Limit: 2}, auth.Query{Limit: 2}, auth.Query{App: "wx1", Limit: 2}
	good := next(ofAlice)
	if strings.Contains(good, string(Alice.OpenID)) {
		t.Errorf("the cursor %s reveals the openid", good)
	}
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, q := range map[string]auth.Query{
		"garbage":                   {User: Alice, Cursor: "garbage"},
		"not base64url":             {User: Alice, Cursor: "?"},
		"changed":                   {User: Alice, Cursor: string(flipped)},
		"cut":                       {User: Alice, Cursor: good[:len(good)-4]},
		"of another user":           {User: Bob, Cursor: good},
		"of one user, used for all": {Cursor: good},
		"of all, used for a user":   {User: Alice, Cursor: next(ofAll)},
		"of all, used for an app":   {App: "wx1", Cursor: next(ofAll)},
		"of another app":            {App: "wx2", Cursor: next(ofApp)},
	} {
		q.Limit = 2
		if _, err := store.List(t.Context(), q); !errors.Is(err, auth.ErrInvalidCursor) || errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("a cursor %s: %v, want ErrInvalidCursor", name, err)
		}
	}
}

// raceList: a list that is read while users log in and out has each remaining session exactly
// once.
func raceList(t *testing.T, store Store, c *Clock) {
	var stay, leave []auth.SessionID
	for i := range 100 {
		c.Advance(time.Millisecond)
		s := Begin(t, store, auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprint("o", i))}, c, "k1")
		if i%4 == 0 {
			leave = append(leave, s.ID)
		} else {
			stay = append(stay, s.ID)
		}
	}
	var logins sync.WaitGroup
	n := 0
	got := listPages(t, store, auth.Query{Limit: 3}, func() {
		n++
		if n > 10 { // with a login for each page, the list would not end
			return
		}
		name := fmt.Sprint("new", n, ".")
		logins.Go(func() {
			for i := range 10 {
				c.Advance(time.Millisecond)
				Begin(t, store, auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprint(name, i))}, c, "k1")
			}
		})
		End(t, store, leave[n])
	})
	logins.Wait()
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Error("a session is listed twice")
	}
	for _, id := range stay {
		if !slices.Contains(got, id) {
			t.Errorf("session %s is not listed", id)
		}
	}
}

func serviceSessions(t *testing.T, store Store, c *Clock) {
	service := ServiceOver(store, c.Now, KeyOne)
	for range auth.DefaultPageSize + 1 {
		c.Advance(time.Second)
		must2(service.Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceIOS}))(t)
	}
	login, err := service.Login(t.Context(), "wx1", "bob k1", auth.Client{Device: auth.DeviceMac})
	Must(t, err)
	page, err := service.Sessions(t.Context(), auth.Query{})
	if err != nil || len(page.Sessions) != auth.DefaultPageSize || page.Next == "" {
		t.Errorf("the default limit: %d sessions, %q, %v", len(page.Sessions), page.Next, err)
	}
	for _, limit := range []int{-1, auth.MaxPageSize + 1} {
		if _, err := service.Sessions(t.Context(), auth.Query{Limit: limit}); !errors.Is(err, auth.ErrInvalidRequest) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	id := string(login.Identity.Session)
	if s, err := service.Session(t.Context(), id); err != nil || s.User != Bob || s.Device != auth.DeviceMac || !s.LastSeen().Equal(c.Now()) {
		t.Errorf("got %+v, %v", s, err)
	}
	c.Advance(time.Minute)
	must2(service.Refresh(t.Context(), login.RefreshToken, AnyApp))(t)
	if s, err := service.Session(t.Context(), id); err != nil || s.Device != auth.DeviceMac || !s.LastSeen().Equal(c.Now()) {
		t.Errorf("after a refresh: %+v, %v", s, err)
	}
	if s, err := service.EndSession(t.Context(), id); err != nil || s.User != Bob {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := service.Authenticate(login.AccessToken); !errors.Is(err, auth.ErrSessionRevoked) {
		t.Errorf("the token of a session that an operator ended: %v", err)
	}
	for id, want := range map[string]error{id: auth.ErrNoSession, "x": auth.ErrInvalidRequest} {
		_, shown := service.Session(t.Context(), id)
		_, ended := service.EndSession(t.Context(), id)
		if !errors.Is(shown, want) || !errors.Is(ended, want) {
			t.Errorf("%s: %v, %v, want %v", id, shown, ended, want)
		}
	}
}

func serviceUser(t *testing.T, store Store, c *Clock) {
	service := ServiceOver(store, c.Now, KeyOne)
	record := func() *auth.UserRecord {
		t.Helper()
		r, err := service.User(t.Context(), Alice)
		Must(t, err)
		return r
	}
	if r := record(); !r.IsEmpty() {
		t.Errorf("an unknown user has %+v", r)
	}
	must2(service.Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceIOS}))(t)
	c.Advance(time.Second)
	last, err := service.Login(t.Context(), "wx1", "alice k2", auth.Client{Device: auth.DeviceIOS})
	Must(t, err)
	Must(t, store.UpdateAttempts(t.Context(), Alice, func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), 3 }))
	r := record()
	if len(r.Sessions) != 2 || r.Sessions[0].ID != last.Identity.Session || r.Attempts.Failed != 3 || !r.EndedUntil.IsZero() || r.IsEmpty() {
		t.Errorf("got %+v", r)
	}
	if len(r.KeysAt) != 2 || !r.KeysAt[0].Equal(c.Now()) || !r.KeysAt[1].Equal(c.Now().Add(-time.Second)) {
		t.Errorf("session keys were obtained at %v", r.KeysAt)
	}
	must2(service.EndUser(t.Context(), Alice, auth.CauseOperator))(t)
	if r := record(); len(r.Sessions)+len(r.KeysAt) != 0 || r.EndedUntil.IsZero() || r.IsEmpty() {
		t.Errorf("after a logout: %+v", r)
	}
}
