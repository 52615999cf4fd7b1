package auth_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestAuthenticate: a token admits its bearer if it is valid and not revoked.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	alice := auth.Identity{User: auth.User{App: theApp, OpenID: "alice"}, Session: "s"}
	token, err := json.Marshal(alice) // as plainTokens.Issue does
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		raw     string
		revoked revoked
		want    error
	}{
		"valid":              {raw: string(token)},
		"revoked":            {raw: string(token), revoked: true, want: auth.ErrSessionRevoked},
		"invalid":            {raw: "x", want: auth.ErrInvalidToken},
		"invalid or revoked": {raw: "x", revoked: true, want: auth.ErrInvalidToken},
	} {
		service := auth.NewService(auth.Config{Tokens: plainTokens{}, Revocations: row.revoked})
		id, err := service.Authenticate(row.raw)
		if !errors.Is(err, row.want) || (id != nil) != (row.want == nil) || id != nil && *id != alice {
			t.Errorf("%s: got %+v, %v, want %v", name, id, err, row.want)
		}
	}
}
