package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// userStore is an onlyStore that notes until when a user was ended.
type userStore struct {
	*onlyStore
	user  auth.User
	until time.Time
	err   error // of EndUser
}

func (s *userStore) EndUser(_ context.Context, u auth.User, at time.Time) error {
	s.user, s.until = u, at
	return s.err
}

// revoked answers for every identity alike.
type revoked bool

func (r revoked) Revoked(*auth.Identity) bool { return bool(r) }

// TestLogoutOfALostSession: a store that was emptied has no session to end, and
// its access tokens live on. They are refused with the user's, or the logout
// fails. A session that somebody else ended is no such.
func TestLogoutOfALostSession(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
	for name, row := range map[string]struct {
		lost    bool
		revoked revoked
		err     error
		ends    bool // the user
	}{
		"there":              {},
		"lost":               {lost: true, ends: true},
		"lost, store down":   {lost: true, err: down, ends: true},
		"ended by somebody":  {lost: true, revoked: true},
		"there, and revoked": {revoked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &userStore{onlyStore: &onlyStore{}, err: row.err}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
				Tokens: plainTokens{}, Store: store, Revocations: row.revoked,
				Access: time.Hour, Refresh: theLife, Idle: theLife,
			})
			grant, err := service.Login(t.Context(), theApp, "code")
			if err != nil {
				t.Fatal(err)
			}
			if row.lost {
				store.session = nil
			}
			if err := service.Logout(t.Context(), &grant.Identity, false); !errors.Is(err, row.err) {
				t.Fatalf("got %v, want %v", err, row.err)
			}
			var user auth.User
			var until time.Time
			if row.ends {
				user, until = grant.Identity.User, grant.Identity.Session.Began()
			}
			if store.user != user || !store.until.Equal(until) {
				t.Errorf("ended %v until %v, want %v until %v", store.user, store.until, user, until)
			}
		})
	}
}
