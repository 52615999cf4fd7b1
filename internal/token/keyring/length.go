package keyring

import (
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// MaxTokenBytes is the longest access token that a configuration may cause for a
	// usual user and key. A token must fit into the header limits of proxies beside
	// the other headers; the lowest limit is 8 KiB.
	MaxTokenBytes = 1 << 10 // 1 KiB

	// headerBytes is the length of a token's header without the name of its alg,
	// and claimBytes that of the claims of a WeChat user with a unionid and a phone
	// number, without issuer and audiences. A test of package token compares both
	// with real tokens.
	headerBytes = 77
	claimBytes  = 362
)

// signatureBytes is the length of a signature. For RS256 it is that of a generated key; a
// larger RSA key is the operator's choice and makes longer tokens.
var signatureBytes = map[signing.Alg]int{signing.EdDSA: 64, signing.ES256: 64, signing.HS256: 32, signing.RS256: 256}

// tokenBytes returns the length of a user's access token with the issuer and the audiences of
// a configuration.
func tokenBytes(cfg *Config) (int, error) {
	issuer, err := json.Marshal(cfg.Issuer)
	if err != nil {
		return 0, fmt.Errorf("%w: issuer: %w", ErrConfig, err)
	}
	var audience any = cfg.Audiences
	if len(cfg.Audiences) == 1 {
		audience = cfg.Audiences[0]
	}
	audiences, err := json.Marshal(audience)
	if err != nil {
		return 0, fmt.Errorf("%w: audience: %w", ErrConfig, err)
	}
	encoded := base64.RawURLEncoding.EncodedLen
	return encoded(headerBytes+len(cfg.Alg)) + 1 + encoded(claimBytes+len(issuer)+len(audiences)) + 1 + encoded(signatureBytes[cfg.Alg]), nil
}
