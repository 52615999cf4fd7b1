package token

import (
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// AssertionLife is the lifetime of an assertion. An upstream reads it at once; a copy
// in its logs must be worthless to an attacker.
const AssertionLife = time.Minute

// IssueAssertion signs the identity of a request for one upstream, which can verify that the
// request came through the gateway. An assertion has a different typ and a different audience
// than an access token, so that neither is accepted as the other even if only one of the two
// is checked. [ErrAssertion] if the key is an HS256 secret, which the upstream would need and
// could then sign with, or if valid access tokens have the same audience.
func (t *Tokens) IssueAssertion(id *auth.Identity, audience string) (string, error) {
	key, err := t.asserter(audience)
	if err != nil {
		return "", err
	}
	now := t.now()
	expires := now.Add(AssertionLife)
	if expires.After(id.Expires) {
		expires = id.Expires // it must not outlive its access token
	}
	return signClaims(key, typAssertion, &claims{
		Issuer:   key.Profile().Issuer,
		Audience: audiences{audience},
		Subject:  id.OpenID,
		ClientID: id.App,
		Session:  id.Session,
		ID:       newTokenID(),
		IssuedAt: now.Unix(),
		Expires:  expires.Unix(),
		Dev:      id.Dev,
	})
}

// asserter returns the key that signs assertions for an audience.
func (t *Tokens) asserter(audience string) (*keyring.Key, error) {
	key, err := t.ring.Signer(t.now())
	if err != nil {
		return nil, err
	}
	if !key.Alg().Public() {
		return nil, fmt.Errorf("%w: every verifier of %s can also sign; set alg to EdDSA or ES256", ErrAssertion, key.Alg())
	}
	if audience == "" || len(audience) > keyring.MaxNameBytes {
		return nil, fmt.Errorf("%w: an audience of 1 to %d bytes is needed, one for each upstream", ErrAssertion, keyring.MaxNameBytes)
	}
	if key.HasAudience(audience) {
		return nil, fmt.Errorf("%w: access tokens have the audience %q too; give the upstream a separate name", ErrAssertion, audience)
	}
	return key, nil
}
