package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// lostStore is an onlyStore that records until when a session was revoked.
type lostStore struct {
	*onlyStore
	revoked auth.SessionID
	until   time.Time
	err     error // of RevokeSession
}

func (s *lostStore) RevokeSession(_ context.Context, id auth.SessionID, until time.Time) error {
	s.revoked, s.until = id, until
	return s.err
}

// revoked returns the same for every identity.
type revoked bool

func (r revoked) Revoked(*auth.Identity) bool { return bool(r) }

func (revoked) Replaced(auth.SessionID) bool { return false }

func (revoked) NotAfter(auth.User) time.Time { return time.Time{} }

// TestLogoutOfALostSession: a store that lost its data has no session to end, but the
// session's access tokens are still valid. The logout revokes all of them, even if it comes
// with an old one, or fails. The user's other sessions continue.
func TestLogoutOfALostSession(t *testing.T) {
	t.Parallel()
	now := time.Now()
	down := fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
	for name, row := range map[string]struct {
		lost    bool
		revoked revoked
		err     error
		life    time.Duration // of the token that the logout comes with
		want    time.Duration // until when the session is revoked; 0 if it is not
	}{
		"stored":                         {life: time.Hour},
		"lost":                           {lost: true, life: time.Hour, want: time.Hour},
		"lost, with an old token":        {lost: true, life: time.Minute, want: time.Hour},
		"lost, when tokens lived longer": {lost: true, life: 2 * time.Hour, want: 2 * time.Hour},
		"lost, store down":               {lost: true, err: down, life: time.Hour, want: time.Hour},
		"already ended":                  {lost: true, revoked: true, life: time.Hour},
		"stored, and revoked":            {revoked: true, life: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &lostStore{onlyStore: &onlyStore{}, err: row.err}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
				Tokens: plainTokens{}, Store: store, Revocations: row.revoked,
				Access: time.Hour, Refresh: theLife, Idle: theLife,
				Now: func() time.Time { return now },
			})
			grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
			if err != nil {
				t.Fatal(err)
			}
			if row.lost {
				store.session = nil
			}
			id := grant.Identity
			id.Expires = now.Add(row.life)
			if err := service.Logout(t.Context(), &id, false); !errors.Is(err, row.err) {
				t.Fatalf("got %v, want %v", err, row.err)
			}
			if row.want == 0 {
				if store.revoked != "" {
					t.Errorf("revoked %s", store.revoked)
				}
				return
			}
			if store.revoked != id.Session || !store.until.Equal(now.Add(row.want)) {
				t.Errorf("revoked %q until %v, want %q until %v", store.revoked, store.until, id.Session, now.Add(row.want))
			}
		})
	}
}

// TestRevokeRefresh: the current refresh token and the one before it end the session
// on a site that admits its app. Any other token ends nothing, and only a failure of the
// store is an error.
func TestRevokeRefresh(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
	for name, row := range map[string]struct {
		token     int // of those that the session had, newest first
		malformed bool
		elsewhere bool  // on a site that does not admit the app
		lost      bool  // the store has no such session
		err       error // of the store
		ends      bool
	}{
		"current":        {token: 0, ends: true},
		"previous":       {token: 1, ends: true},
		"the one before": {token: 2},
		"malformed":      {malformed: true, err: down},
		"elsewhere":      {elsewhere: true},
		"no session":     {lost: true},
		"store down":     {err: down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &onlyStore{}
			service, token := login(t, store)
			tokens := []string{token}
			for range 2 {
				grant, err := service.Refresh(t.Context(), tokens[0], anyApp)
				if err != nil {
					t.Fatal(err)
				}
				tokens = append([]string{grant.RefreshToken}, tokens...)
			}
			store.err, token = row.err, tokens[row.token]
			want := row.err
			if row.malformed {
				token, want = "wxr_x", nil
			}
			if row.lost {
				store.session.ID = ""
			}
			admitted := anyApp
			if row.elsewhere {
				admitted = noApp
			}
			ended, err := service.RevokeRefresh(t.Context(), token, admitted)
			if _, _, was := store.look(); !errors.Is(err, want) || was != row.ends || (ended.ID != "") != (row.ends && want == nil) {
				t.Errorf("%v, ended %v, returned %q, want %v, %v", err, was, ended.ID, want, row.ends)
			}
		})
	}
}

// userStore records the arguments of EndUser.
type userStore struct {
	auth.Store
	ended endedUser
}

type endedUser struct {
	user      auth.User
	at, until time.Time
}

func (s *userStore) EndUser(_ context.Context, u auth.User, at, until time.Time) (int, error) {
	s.ended = endedUser{u, at, until}
	return 0, nil
}

func (s *userStore) Erase(_ context.Context, u auth.User, at, until time.Time) (auth.Erased, error) {
	s.ended = endedUser{u, at, until}
	return auth.Erased{}, nil
}

// TestEndingAUserIsRemembered: the end of a user is remembered as long as any token may
// live, whether or not the store knows the token.
func TestEndingAUserIsRemembered(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	user := auth.User{App: theApp, OpenID: "o1"}
	store := &userStore{}
	service := auth.NewService(auth.Config{Store: store, Access: time.Hour, Now: func() time.Time { return now }})
	logout := func(life time.Duration) func() error {
		return func() error {
			return service.Logout(t.Context(), &auth.Identity{User: user, Expires: now.Add(life)}, true)
		}
	}
	for name, row := range map[string]struct {
		end   func() error
		until time.Time
	}{
		"operator":                       {func() error { _, err := service.EndUser(t.Context(), user, auth.CauseOperator); return err }, now.Add(time.Hour)},
		"erasure":                        {func() error { _, err := service.Erase(t.Context(), user); return err }, now.Add(time.Hour)},
		"logout":                         {logout(time.Minute), now.Add(time.Hour)},
		"logout, when they lived longer": {logout(2 * time.Hour), now.Add(2 * time.Hour)},
	} {
		if err := row.end(); err != nil {
			t.Fatal(err)
		}
		if want := (endedUser{user, now, row.until}); store.ended != want {
			t.Errorf("%s: ended %v, want %v", name, store.ended, want)
		}
	}
}
