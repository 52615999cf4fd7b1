package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// mintService makes a service over a store, with dev_mode or without it.
func mintService(store auth.Store, devMode bool) *auth.Service {
	return auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
		Tokens: plainTokens{}, Store: store, Revocations: revoked(false), DevMode: devMode,
		Access: time.Hour, Refresh: theLife, Idle: theLife,
	})
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		devMode bool
		user    auth.User
		want    error
	}{
		"without dev_mode": {false, theUser, auth.ErrDevModeOff},
		"unknown app":      {true, auth.User{App: "wx2", OpenID: "o1"}, auth.ErrUnknownApp},
		"no openid":        {true, auth.User{App: theApp}, auth.ErrInvalidRequest},
		"openid":           {true, auth.User{App: theApp, OpenID: "a b"}, auth.ErrInvalidRequest},
	} {
		store := &onlyStore{}
		grant, err := mintService(store, row.devMode).Mint(t.Context(), row.user)
		if !errors.Is(err, row.want) || grant != nil || store.session != nil {
			t.Errorf("%s: %v, %v, session %v", name, grant, err, store.session)
		}
	}
	if !errors.Is(auth.ErrDevModeOff, auth.ErrForbidden) {
		t.Error("a refusal without dev_mode is not forbidden")
	}
}

// TestMinted: the tokens of a minted session are dev tokens as long as the session lives. A
// service without dev_mode over the same store admits none of them. There too, a copied
// refresh token ends the session.
func TestMinted(t *testing.T) {
	t.Parallel()
	store := keyStore{&onlyStore{}}
	on, off := mintService(store, true), mintService(store, false)
	minted, err := on.Mint(t.Context(), theUser)
	if err != nil {
		t.Fatal(err)
	}
	if session, _, _ := store.look(); session.Door != auth.DoorMinted || session.Door.String() != "minted" || session.User != theUser {
		t.Fatalf("door %s, user %v", session.Door, session.User)
	}
	wantDev := func(access string) {
		t.Helper()
		if id, err := on.Authenticate(access); err != nil || !id.Dev || id.User != theUser {
			t.Errorf("got %+v, %v", id, err)
		}
		if id, err := off.Authenticate(access); !errors.Is(err, auth.ErrSessionRevoked) || id != nil {
			t.Errorf("without dev_mode: %+v, %v", id, err)
		}
	}
	wantDev(minted.AccessToken)

	if _, err := off.Refresh(t.Context(), minted.RefreshToken, anyApp); !errors.Is(err, auth.ErrSessionRevoked) {
		t.Errorf("refreshed without dev_mode: %v", err)
	}
	if _, err := off.Decode(t.Context(), auth.Caller{Handle: minted.Handle}, auth.OpenData{}, anyApp); !errors.Is(err, auth.ErrSessionStale) {
		t.Errorf("decoded without dev_mode: %v", err)
	}
	refreshed, err := on.Refresh(t.Context(), minted.RefreshToken, anyApp)
	if err != nil {
		t.Fatal(err)
	}
	wantDev(refreshed.AccessToken)

	again, err := on.Refresh(t.Context(), refreshed.RefreshToken, anyApp)
	if err != nil {
		t.Fatal(err)
	}
	wantDev(again.AccessToken)
	if _, err := off.Refresh(t.Context(), minted.RefreshToken, anyApp); !errors.Is(err, auth.ErrRefreshReused) {
		t.Errorf("a copy without dev_mode: %v", err)
	}
	if _, _, ended := store.look(); !ended {
		t.Error("a copied refresh token did not end the session")
	}
}

// TestMintedDecode: a token with the phone number of a minted session is a dev token.
func TestMintedDecode(t *testing.T) {
	t.Parallel()
	store := keyStore{&onlyStore{}}
	service := auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{theApp: dataPlatform{}},
		Tokens: plainTokens{}, Store: store, Revocations: revoked(false), DevMode: true,
		Access: time.Hour, Refresh: theLife, Idle: theLife,
	})
	minted, err := service.Mint(t.Context(), theUser)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := service.DecodePhoneCode(t.Context(), &minted.Identity, "code", anyApp)
	if err != nil {
		t.Fatal(err)
	}
	if id := decoded.Grant.Identity; !id.Dev || id.Phone != thePhone.E164() {
		t.Errorf("got %+v", id)
	}
}
