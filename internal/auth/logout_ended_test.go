package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// endingStore is an onlyStore that also ends users, or fails.
type endingStore struct{ *onlyStore }

func (s endingStore) EndUser(context.Context, auth.User, time.Time, time.Time) (int, error) {
	return 1, s.err
}

func (s endingStore) Erase(context.Context, auth.User, time.Time, time.Time) (auth.Erased, error) {
	return auth.Erased{Sessions: 1}, s.err
}

func (s endingStore) RevokeSession(context.Context, auth.SessionID, time.Time) error { return s.err }

// TestEnded: whatever ends a session or a user is reported once, after the store has ended
// it. Nothing is reported if the store ended nothing.
func TestEnded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	alice := auth.User{App: theApp, OpenID: "o1"}
	for name, row := range map[string]struct {
		end   func(ctx context.Context, s *auth.Service, id *auth.Identity, tokens []string) error
		lost  bool // the store has no such session
		cause auth.Cause
		all   bool
	}{
		"logout": {end: func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
			return s.Logout(ctx, id, false)
		}, cause: auth.CauseLogout},
		"logout of a lost session": {
			end: func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
				return s.Logout(ctx, id, false)
			},
			lost: true, cause: auth.CauseLogout,
		},
		"logout of all": {end: func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
			return s.Logout(ctx, id, true)
		}, cause: auth.CauseLogout, all: true},
		"operator": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, _ []string) error {
			_, err := s.EndUser(ctx, alice, auth.CauseOperator)
			return err
		}, cause: auth.CauseOperator, all: true},
		"erasure": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, _ []string) error {
			_, err := s.Erase(ctx, alice)
			return err
		}, cause: auth.CauseErased, all: true},
		"operator, one session": {end: func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
			_, err := s.EndSession(ctx, string(id.Session))
			return err
		}, cause: auth.CauseOperator},
		"revocation": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			_, err := s.RevokeRefresh(ctx, tokens[2], anyApp)
			return err
		}, cause: auth.CauseRevoked},
		"revocation of an old token": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			_, err := s.RevokeRefresh(ctx, tokens[0], anyApp)
			return err
		}},
		"reuse": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			_, err := s.Refresh(ctx, tokens[0], anyApp)
			if errors.Is(err, auth.ErrRefreshReused) {
				return nil
			}
			return fmt.Errorf("reuse: %w", err)
		}, cause: auth.CauseReused},
		"refresh": {end: func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			_, err := s.Refresh(ctx, tokens[2], anyApp)
			return err
		}},
	} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, down %v", name, down), func(t *testing.T) {
				t.Parallel()
				store := endingStore{&onlyStore{}}
				var got []auth.Ended
				service := auth.NewService(auth.Config{
					Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
					Tokens: plainTokens{}, Store: store, Revocations: revoked(false),
					Access: time.Hour, Refresh: theLife, Idle: theLife,
					Ended: func(e auth.Ended) { got = append(got, e) },
					Now:   func() time.Time { return now },
				})
				grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
				if err != nil {
					t.Fatal(err)
				}
				tokens := []string{grant.RefreshToken}
				for range 2 {
					next, err := service.Refresh(t.Context(), tokens[len(tokens)-1], anyApp)
					if err != nil {
						t.Fatal(err)
					}
					tokens = append(tokens, next.RefreshToken)
				}
				if row.lost {
					store.session = nil
				}
				if down {
					store.err = fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
				}
				if err := row.end(t.Context(), service, &grant.Identity, tokens); (err != nil) != down && row.cause != "" {
					t.Fatalf("ended with %v", err)
				}
				var want []auth.Ended
				if row.cause != "" && !down {
					want = []auth.Ended{{User: alice, Session: grant.Identity.Session, Cause: row.cause, At: now}}
					if row.all {
						want[0].Session = ""
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("reported %v, want %v", got, want)
				}
			})
		}
	}
}
