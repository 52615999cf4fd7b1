package sessiontest

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// raceRefresh: a hundred simultaneous refreshes of one token yield one live successor, and the
// session does not end.
func raceRefresh(t *testing.T, store Store, c *Clock) {
	service := ServiceOver(store, c.Now, KeyOne)
	login, err := service.Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceOther})
	Must(t, err)
	token := login.RefreshToken
	for range 3 {
		grants := make([]*auth.Grant, AtOnce)
		Together(AtOnce, func(i int) {
			var err error
			if grants[i], err = service.Refresh(t.Context(), token, AnyApp); err != nil {
				t.Errorf("refresh %d: %v", i, err)
			}
		})
		if t.Failed() {
			return
		}
		for i, grant := range grants {
			if grant.RefreshToken != grants[0].RefreshToken {
				t.Fatalf("refresh %d got a different successor", i)
			}
			if _, err := service.Authenticate(grant.AccessToken); err != nil {
				t.Fatalf("refresh %d: its access token: %v", i, err)
			}
		}
		token = grants[0].RefreshToken // the next round spends it
		c.Advance(auth.RefreshGrace + time.Second)
	}
}

func serviceLife(t *testing.T, store Store, c *Clock) {
	service := ServiceOver(store, c.Now, KeyOne)
	login, err := service.Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceOther})
	Must(t, err)
	again, err := service.Login(t.Context(), "wx1", "alice k2", auth.Client{Device: auth.DeviceOther})
	Must(t, err)

	// Data encrypted at the first login opens after the second; the phone is remembered.
	caller := auth.Caller{Identity: &again.Identity, Handle: login.Handle}
	decoded, err := service.Decode(t.Context(), caller, auth.OpenData{EncryptedData: "k1", IV: "138"}, AnyApp)
	Must(t, err)
	if decoded.Grant == nil || decoded.Grant.Identity.Phone != "+86138" || decoded.Grant.Identity.Risk != 3 || decoded.NotRemembered != nil {
		t.Fatalf("got %+v", decoded)
	}

	spent, err := service.Refresh(t.Context(), again.RefreshToken, AnyApp)
	Must(t, err)
	if spent.Identity.Phone != "+86138" || spent.Identity.Risk != login.Identity.Risk {
		t.Fatalf("the session forgot the phone or the risk: %+v", spent.Identity)
	}
	c.Advance(auth.RefreshGrace + time.Second)
	if _, err := service.Refresh(t.Context(), again.RefreshToken, AnyApp); !errors.Is(err, auth.ErrRefreshReused) {
		t.Fatalf("got %v, want ErrRefreshReused", err)
	}
	for name, token := range map[string]string{"old": again.AccessToken, "new": spent.AccessToken} {
		if _, err := service.Authenticate(token); !errors.Is(err, auth.ErrSessionRevoked) {
			t.Errorf("%s token after reuse: %v, want ErrSessionRevoked", name, err)
		}
	}
	must2(service.Authenticate(login.AccessToken))(t)
	Must(t, service.Logout(t.Context(), &login.Identity, true))
	if _, err := service.Authenticate(login.AccessToken); !errors.Is(err, auth.ErrSessionRevoked) {
		t.Fatalf("after logout: %v, want ErrSessionRevoked", err)
	}
	third, err := service.Login(t.Context(), "wx1", "alice k3", auth.Client{Device: auth.DeviceOther}) // in the same millisecond
	Must(t, err)
	must2(service.Authenticate(third.AccessToken))(t)
}

// must2 is Must for calls that return a value too.
func must2(_ any, err error) func(testing.TB) {
	return func(t testing.TB) {
		t.Helper()
		Must(t, err)
	}
}
