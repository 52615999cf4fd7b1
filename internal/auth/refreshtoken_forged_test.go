package auth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// untagged returns a refresh token as it was issued before tags existed.
func untagged(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "wxr_"))
	if err != nil {
		t.Fatal(err)
	}
	return "wxr_" + base64.RawURLEncoding.EncodeToString(raw[:len(raw)-auth.RefreshTagBytes])
}

// TestForgedRefresh presents tokens that were never issued but name a session that exists.
// None of them ends the session, neither by refresh nor by revoke.
func TestForgedRefresh(t *testing.T) {
	t.Parallel()
	store := &onlyStore{}
	service, genuine := login(t, store)
	session, _, _ := store.look()
	forged := auth.NewRefreshToken(session.ID).String()
	tag := genuine[len(untagged(t, genuine)):]
	for name, token := range map[string]string{"untagged": forged, "with the tag of another token": forged + tag} {
		if _, err := service.RevokeRefresh(t.Context(), token, anyApp); err != nil {
			t.Errorf("%s: revoke: %v", name, err)
		}
		if _, err := service.Refresh(t.Context(), token, anyApp); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: refresh: %v, want ErrInvalidToken", name, err)
		}
	}
	if _, _, ended := store.look(); ended {
		t.Fatal("a token that was never issued ended the session")
	}
	if _, err := service.Refresh(t.Context(), genuine, anyApp); err != nil {
		t.Fatalf("the genuine token: %v", err)
	}
}

// TestReplacedRefresh presents a token that was replaced twice. An issued token ends the
// session. A token from before tags existed cannot be distinguished from a forged one.
func TestReplacedRefresh(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		old  bool
		want error
	}{"issued": {want: auth.ErrRefreshReused}, "before tags": {old: true, want: auth.ErrInvalidToken}} {
		store := &onlyStore{}
		service, first := login(t, store)
		if row.old {
			first = untagged(t, first)
		}
		next := first
		for range 2 { // an untagged token yields a tagged one
			grant, err := service.Refresh(t.Context(), next, anyApp)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			next = grant.RefreshToken
		}
		_, err := service.Refresh(t.Context(), first, anyApp)
		if _, _, ended := store.look(); !errors.Is(err, row.want) || ended == row.old {
			t.Errorf("%s: %v and ended %v, want %v", name, err, ended, row.want)
		}
	}
}
