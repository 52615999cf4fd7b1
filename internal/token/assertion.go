package token

import (
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// AssertionLife is how long an assertion lives: an upstream reads it at once,
// and a copy from its logs must be worth nothing.
const AssertionLife = 60 * time.Second

// IssueAssertion signs, for one upstream, who a request comes from, so that the
// upstream can prove that it came through the gateway. It is of another typ than
// an access token and has another audience: neither passes for the other, not even
// where one of the two is left unchecked. [ErrAssertion] when the key is an HS256
// secret, which the upstream would need and could then sign with, or when access
// tokens that still live have that audience.
func (t *Tokens) IssueAssertion(id *auth.Identity, audience string) (string, error) {
	key, err := t.asserter(audience)
	if err != nil {
		return "", err
	}
	now := t.now()
	expires := now.Add(AssertionLife)
	if expires.After(id.Expires) {
		expires = id.Expires // it proves no more than the token it was made from
	}
	return write(key, typAssertion, &claims{
		Issuer:   key.Profile().Issuer,
		Audience: audiences{audience},
		Subject:  id.OpenID,
		ClientID: id.App,
		Session:  id.Session,
		ID:       newTokenID(),
		IssuedAt: now.Unix(),
		Expires:  expires.Unix(),
	})
}

// asserter is the key that signs an assertion for an audience.
func (t *Tokens) asserter(audience string) (*keyring.Key, error) {
	key, err := t.ring.Signer(t.now())
	if err != nil {
		return nil, err
	}
	if !key.Alg().Public() {
		return nil, fmt.Errorf("%w: whoever verifies %s can also sign; set alg to EdDSA or ES256", ErrAssertion, key.Alg())
	}
	if audience == "" || len(audience) > keyring.MaxNameBytes {
		return nil, fmt.Errorf("%w: an audience of 1 to %d bytes is needed, one for each upstream", ErrAssertion, keyring.MaxNameBytes)
	}
	if key.HasAudience(audience) {
		return nil, fmt.Errorf("%w: access tokens have the audience %q too; give the upstream a name of its own", ErrAssertion, audience)
	}
	return key, nil
}
