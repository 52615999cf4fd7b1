package token_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
)

// A ring that makes its own key, and a token that is issued and verified.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	box, err := seal.New(bytes.Repeat([]byte("root secret "), 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := token.OpenRing(ctx, token.RingConfig{
		Storage: &storage{}, Box: box, Issuer: "wxgate", Access: time.Hour,
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

// An operator's own key is pinned to one algorithm when it is read.
func ExampleParseKey() {
	const public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=\n-----END PUBLIC KEY-----\n"
	_, err := token.ParseKey(token.HS256, []byte(public))
	fmt.Println(err)
	// Output:
	// signing key unreadable: HS256 was given a PEM key as its secret: a public key is known to everybody, and whoever knows the secret can sign; give random bytes, or set alg to the key's own
}
