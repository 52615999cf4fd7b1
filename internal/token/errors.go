package token

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// The errors of [Tokens.Issue], [Tokens.IssueAssertion], [Tokens.IssueEvent] and
// [Tokens.IssuePush]. Each is wrapped with the cause and with advice.
var (
	// ErrIdentity reports an identity that must not be put into a token.
	ErrIdentity = errors.New("identity unfit for a token")
	// ErrAssertion reports an assertion or an event that must not be issued.
	ErrAssertion = errors.New("assertion refused")
)

// The rules of [Tokens.Verify], in the order in which it applies them. The errors are created
// once, so that refusals stay cheap under a flood of forged tokens.
var (
	errTooLong   = refuse("too long")
	errForm      = refuse("not three parts of base64url")
	errHeader    = refuse("header is not exactly alg, typ and kid")
	errType      = refuse("typ is not that of an access token")
	errKeyID     = refuse("kid is malformed")
	errNoKey     = refuse("kid is unknown or no longer accepted")
	errAlgorithm = refuse("alg is not the key's")
	errSignature = refuse("signature is wrong")
	errClaims    = refuse("claims are not the JSON of an access token")
	errVariant   = refuse("a claim's name is a variant of another name")
	errMissing   = refuse("a claim is missing or out of range")
	errProfile   = refuse("issuer or audience is not the key's")
	errLifetime  = refuse("lifetime is longer than the key allows")
	errNotYet    = refuse("issued in the future")
	errPhone     = refuse("phone claim cannot be decrypted")
	errRanked    = refuse("risk claim cannot be decrypted")
)

func refuse(rule string) error { return fmt.Errorf("%w: %s", auth.ErrInvalidToken, rule) }
