package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// TestLongestNames: with the longest names that keyring accepts, the token of a WeChat user is
// not longer than MaxTokenBytes; with longer names it is.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		key := must(signing.Generate(alg))
		for name, others := range map[string][]string{
			"one": nil, "two": {"shop"}, "escaped": {`"<é>"`}, "long": {strings.Repeat("l", 30)},
		} {
			longest := keyring.Config{}
			for n := 1; n <= 128; n++ {
				cfg := keyring.Config{
					Storage: &tokentest.Storage{}, Box: tokentest.MustBox(t, secret), Alg: alg, Key: key, Access: time.Hour,
					Issuer: strings.Repeat("i", n), Audiences: append([]string{strings.Repeat("a", n)}, others...),
				}
				_, err := keyring.Open(t.Context(), cfg)
				if errors.Is(err, keyring.ErrConfig) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				longest = cfg
			}
			g := newGateway(t, func(c *keyring.Config) {
				c.Alg, c.Key, c.Issuer, c.Audiences = alg, key, longest.Issuer, longest.Audiences
			})
			id := g.User(time.Hour)
			id.UnionID = auth.UnionID(strings.Repeat("u", 29))
			got := len(g.MustIssue(t, id))
			// One more byte in the issuer and in an audience makes the token three bytes longer.
			shortest := keyring.MaxTokenBytes - 2
			if len(longest.Issuer) == keyring.MaxNameBytes {
				shortest = 0 // the limit is the length of names
			}
			if got > keyring.MaxTokenBytes || got < shortest {
				t.Errorf("%s, %s: %d bytes under names of %d", alg, name, got, len(longest.Issuer))
			}
		}
	}
}
