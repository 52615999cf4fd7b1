package token

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// The errors of [Tokens.Issue] and [Tokens.IssueAssertion]. Each is wrapped with
// what was found and what to do.
var (
	// ErrIdentity is an identity that must not be put into a token.
	ErrIdentity = errors.New("identity unfit for a token")
	// ErrAssertion is an assertion that must not be made.
	ErrAssertion = errors.New("assertion refused")
)

// The rules of [Tokens.Verify], in the order in which they are applied. They
// are made once, because refusing must stay cheap under a flood.
var (
	errTooLong   = refuse("longer than any token of ours")
	errForm      = refuse("not three parts of base64url")
	errHeader    = refuse("header is not exactly alg, typ and kid")
	errType      = refuse("typ is of another kind of token")
	errKeyID     = refuse("kid is malformed")
	errNoKey     = refuse("kid is unknown or no longer accepted")
	errAlgorithm = refuse("alg is not the key's")
	errSignature = refuse("signature is wrong")
	errClaims    = refuse("claims are not the JSON of a token of ours")
	errVariant   = refuse("a claim's name is a variant of another's")
	errMissing   = refuse("a claim is missing or out of range")
	errProfile   = refuse("issuer or audience is not the key's")
	errLifetime  = refuse("lives longer than the key's tokens do")
	errNotYet    = refuse("issued in the future")
	errPhone     = refuse("phone claim does not open")
)

func refuse(rule string) error { return fmt.Errorf("%w: %s", auth.ErrInvalidToken, rule) }
