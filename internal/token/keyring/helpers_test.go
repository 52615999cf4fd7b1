package keyring_test

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start     = tokentest.Start
	allAlgs   = []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256, signing.HS256}
	secret    = tokentest.Secret
	newSecret = bytes.Repeat([]byte("n"), seal.MinSecretBytes)
)

// gateway adds helpers for the tests of this package.
type gateway struct{ *tokentest.Gateway }

func newGateway(tb testing.TB, change func(*keyring.Config)) *gateway {
	tb.Helper()
	return &gateway{tokentest.New(tb, change)}
}

// reconfigure loads a changed configuration, as a reload does.
func (g *gateway) reconfigure(tb testing.TB, change func(*keyring.Config)) {
	tb.Helper()
	change(&g.Config)
	if err := g.Ring.Reconfigure(tb.Context(), g.Config); err != nil {
		tb.Fatal(err)
	}
}

// The rules of package token that depend on the ring.
const (
	ruleNoKey   = "invalid token: kid is unknown or no longer accepted"
	ruleProfile = "invalid token: issuer or audience is not the key's"
)

// mustRefuse checks which rule refuses a token.
func (g *gateway) mustRefuse(tb testing.TB, raw, rule string) {
	tb.Helper()
	id, err := g.Verify(raw)
	if err == nil || err.Error() != rule || id != nil {
		tb.Errorf("got %v, %v, want %s", id, err, rule)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
