package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// A session that nobody can refresh ends with its access token.
func TestLoginOnce(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, tc := range []struct {
		name               string
		access, idle, want time.Duration
	}{
		{"access is shorter", time.Hour, theLife, time.Hour},
		{"idle is shorter", time.Hour, time.Minute, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := &onlyStore{}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
				Tokens: plainTokens{}, Store: store,
				Access: tc.access, Refresh: theLife, Idle: tc.idle,
				Now: func() time.Time { return now },
			})
			grant, err := service.LoginOnce(t.Context(), theApp, "code")
			if err != nil {
				t.Fatal(err)
			}
			session, _, _ := store.look()
			if end := now.Add(tc.want); grant.RefreshToken != "" || !grant.AccessExpires.Equal(end) || !session.End().Equal(end) {
				t.Errorf("refresh token %q, the token ends %v, the session %v, want %v", grant.RefreshToken, grant.AccessExpires, session.End(), end)
			}
		})
	}
}

// spentPlatform fails the test when a code is spent.
type spentPlatform struct {
	auth.Platform
	t *testing.T
}

func (p spentPlatform) Exchange(context.Context, string) (auth.LoginResult, error) {
	p.t.Error("the code was spent")
	return auth.LoginResult{OpenID: "o1"}, nil
}

// While the store is known to be down, a login keeps its code.
func TestLoginKeepsTheCodeWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
	service := auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{theApp: spentPlatform{t: t}},
		Tokens: plainTokens{}, Store: &onlyStore{},
		Access: time.Hour, Refresh: theLife, Idle: theLife,
		Available: func(context.Context) error { return down },
	})
	if _, err := service.Login(t.Context(), theApp, "code"); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
}
