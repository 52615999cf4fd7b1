package token

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// What an operator can act on. Each is wrapped with what was found and what to do.
var (
	// ErrConfig is a setting that cannot work.
	ErrConfig = errors.New("token settings")
	// ErrAlg is an algorithm other than the four, or a key of another one.
	ErrAlg = errors.New("signing algorithm")
	// ErrKey is a signing key that cannot be read.
	ErrKey = errors.New("signing key unreadable")
	// ErrWeakKey is a signing key that can be read and must not be used.
	ErrWeakKey = errors.New("signing key too weak")
	// ErrKeyRefused is a configured key that an operator has retired.
	ErrKeyRefused = errors.New("signing key was retired")
	// ErrKeyGiven is a rotation asked of a key that the configuration names.
	ErrKeyGiven = errors.New("signing key comes from the configuration")
	// ErrUnknownKey is a key ID that the ring does not hold.
	ErrUnknownKey = errors.New("no such signing key")
	// ErrNoSigner is a ring none of whose keys can sign here now.
	ErrNoSigner = errors.New("no signing key")
	// ErrOtherSecret is a ring sealed with a root secret that is not configured.
	ErrOtherSecret = errors.New("signing keys are sealed with another root secret")
	// ErrRingUnreadable is a stored ring that was changed or cut.
	ErrRingUnreadable = errors.New("stored signing keys unreadable")
	// ErrRingFull is a ring that may take no further key.
	ErrRingFull = errors.New("too many signing keys")
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
