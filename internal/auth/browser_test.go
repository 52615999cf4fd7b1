package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestDoors(t *testing.T) {
	t.Parallel()
	for number, want := range []struct {
		name    string
		browser bool
	}{{"miniprogram", false}, {"minted", false}, {"official", true}, {"website", true}, {"webview", true}, {"scan", true}, {"other", false}} {
		if door := auth.Door(number); door.String() != want.name || door.Browser() != want.browser {
			t.Errorf("door %d is %q, browser %t; want %q, %t", number, door, door.Browser(), want.name, want.browser)
		}
	}
	if newest := auth.Door(255); newest.String() != "other" || newest.Browser() {
		t.Errorf("a door of a newer wxgate is %q, browser %t", newest, newest.Browser())
	}
}

// TestBrowserSessionsHaveNoTokens presents tokens that the store would accept for a session
// with tokens. They neither open nor end a browser session.
func TestBrowserSessionsHaveNoTokens(t *testing.T) {
	t.Parallel()
	for _, door := range []auth.Door{auth.DoorOfficial, auth.DoorWebsite, auth.DoorWebView, auth.DoorScan} {
		store := new(prefetchStore)
		service := auth.NewService(auth.Config{
			Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
			Tokens: plainTokens{}, Store: store, Revocations: revokedSet{},
			Access: time.Hour, Refresh: theLife, Idle: theLife,
		})
		first, err := service.Login(t.Context(), theApp, "code", auth.Client{})
		if err != nil {
			t.Fatal(err)
		}
		next, err := service.Refresh(t.Context(), first.RefreshToken, anyApp)
		if err == nil {
			next, err = service.Refresh(t.Context(), next.RefreshToken, anyApp)
		}
		if err != nil {
			t.Fatal(err)
		}
		store.session.Door = door
		for name, token := range map[string]string{"current": next.RefreshToken, "replaced long ago": first.RefreshToken} {
			if _, err := service.Refresh(t.Context(), token, anyApp); !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%s, %s: refresh: %v, want ErrInvalidToken", door, name, err)
			}
			if ended, err := service.RevokeRefresh(t.Context(), token, anyApp); err != nil || ended.ID != "" {
				t.Errorf("%s, %s: revoke: ended %q, %v", door, name, ended.ID, err)
			}
		}
		prefetch, err := service.PrefetchToken(&next.Identity)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := service.PrefetchByToken(t.Context(), theApp, prefetch); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: prefetch: %v, want ErrInvalidToken", door, err)
		}
		if store.ended {
			t.Errorf("%s: a token ended a browser session", door)
		}
	}
}
