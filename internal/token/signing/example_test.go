package signing_test

import (
	"fmt"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// An operator's own key is pinned to one algorithm when it is read.
func ExampleParseKey() {
	const public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=\n-----END PUBLIC KEY-----\n"
	_, err := signing.ParseKey(signing.HS256, []byte(public))
	fmt.Println(err)
	// Output:
	// signing key unreadable: HS256 was given a PEM key as its secret: a public key is known to everybody, and whoever knows the secret can sign; give random bytes, or set alg to the key's own
}
