package signing_test

import (
	"fmt"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// A configured key is only accepted for its own algorithm.
func ExampleParseKey() {
	const public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=\n-----END PUBLIC KEY-----\n"
	_, err := signing.ParseKey(signing.HS256, []byte(public))
	fmt.Println(err)
	// Output:
	// signing key unreadable: HS256 was given a PEM key as its secret: a public key is not secret, and every client that knows the secret can sign; set random bytes, or set alg to the key's algorithm
}
