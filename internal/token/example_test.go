package token_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// A ring creates its own key; a token is issued and verified.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	box, err := seal.New(bytes.Repeat([]byte("root secret "), 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := keyring.Open(ctx, keyring.Config{
		Storage: &tokentest.Storage{}, Box: box, Issuer: "wxgate", Access: time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := token.New(token.Config{Ring: ring, Box: box})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()

	now := time.Now()
	user := auth.User{App: "wx4f4bc4dec97d474b", OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}
	raw, err := tokens.Issue(auth.Identity{
		User:     user,
		Session:  auth.NewSessionID(now, user),
		IssuedAt: now,
		Expires:  now.Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := tokens.Verify(raw)
	fmt.Println(id.OpenID, err)
	_, err = tokens.Verify(raw + "=")
	fmt.Println(err)
	// Output:
	// oGZUI0egBJY1zhBYw2KhdUfwVJJE <nil>
	// invalid token: not three parts of base64url
}
