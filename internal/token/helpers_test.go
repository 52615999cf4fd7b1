package token_test

import (
	"bytes"
	"errors"
	"strings"
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

// mustRefuse checks the error of a refusal, and that the error does not contain the token.
func (g *gateway) mustRefuse(tb testing.TB, raw string, want error) {
	tb.Helper()
	id, err := g.Verify(raw)
	if !errors.Is(err, want) || id != nil {
		tb.Errorf("got %v, %v, want %v", id, err, want)
	}
	if err != nil && len(raw) > 20 && strings.Contains(err.Error(), raw[:20]) {
		tb.Errorf("the error contains the token: %v", err)
	}
}
