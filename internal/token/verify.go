package token

import (
	"encoding/base64"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// timeUnit is what a JWT rounds its times to; a life may grow by one.
	timeUnit = time.Second
)

// verified is a token that was checked, and what of it must be looked at again
// when it comes back.
type verified struct {
	identity  *auth.Identity
	notBefore time.Time
	issuer    string
	audiences []string
}

// Verify decides whether raw is an access token of ours that lives now. It
// checks all but revocation, which changes under a token's feet. The errors wrap
// auth.ErrTokenExpired for a token that was good until it ended, else
// auth.ErrInvalidToken; they name the rule and never the token.
//
// The identity is shared between requests: nobody changes it.
func (t *Tokens) Verify(raw string) (*auth.Identity, error) {
	if len(raw) > maxInputBytes {
		return nil, errTooLong // before even the hash
	}
	now := t.now()
	proof := t.cache.digest(raw)
	if v := t.cache.get(&proof); v != nil && v.valid(t.ring, now) {
		return v.identity, nil
	}
	v, err := t.verify(raw, now)
	if err != nil {
		return nil, err
	}
	t.cache.put(&proof, v, now)
	return v.identity, nil
}

// valid reports whether what was verified once is still so: the token's time and
// its key's. Without this a cached token would outlive a key that was retired.
func (v *verified) valid(ring *keyring.Ring, now time.Time) bool {
	if !now.Before(v.identity.Expires) || v.notBefore.After(now.Add(keyring.MaxSkew)) {
		return false
	}
	key := ring.Accepted(string(v.identity.Key), now)
	return key != nil && key.ProfileFor(v.issuer, v.audiences, now) != nil
}

// verify checks a token from its first byte.
func (t *Tokens) verify(raw string, now time.Time) (*verified, error) {
	token, err := parseCompact(raw, typAccess)
	if err != nil {
		return nil, err
	}
	key := t.ring.Accepted(token.header.Kid, now)
	if key == nil {
		return nil, errNoKey
	}
	payload, err := openPayload(key.Key, token)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := admits(key, c, now); err != nil {
		return nil, err
	}
	id := c.identity(key.ID())
	id.Pseudonym = t.Pseudonym(id.User)
	if c.Phone != "" {
		if id.Phone, err = t.openPhone(c.Phone, c.Session); err != nil {
			return nil, err
		}
	}
	return &verified{identity: id, notBefore: time.Unix(c.NotBefore, 0), issuer: c.Issuer, audiences: c.Audience}, nil
}

// openPayload verifies the signature, with the one algorithm that the key is pinned to,
// and then decodes the payload: nothing of it is read before.
func openPayload(key *signing.Key, token *compact) ([]byte, error) {
	if token.header.Alg != key.Alg() {
		return nil, errAlgorithm // the key decides, or RS256's public key verifies HS256
	}
	if !key.Verify(token.signed, token.signature) {
		return nil, errSignature
	}
	payload, err := strictBase64.DecodeString(token.payload)
	if err != nil {
		return nil, errForm
	}
	return payload, nil
}

// admits checks the claims against what the key's tokens say, and the clock.
// Expiry comes last: only a token that is good in all else has expired.
func admits(key *keyring.Key, c *claims, now time.Time) error {
	p := key.ProfileFor(c.Issuer, c.Audience, now)
	if p == nil {
		return errProfile
	}
	issued, expires := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	if life := expires.Sub(issued); life < 0 || life > p.Access+timeUnit {
		return errLifetime // whoever borrowed the key once must not keep its fruit for years
	}
	if latest := now.Add(keyring.MaxSkew); issued.After(latest) || time.Unix(c.NotBefore, 0).After(latest) {
		return errNotYet
	}
	if !now.Before(expires) {
		return auth.ErrTokenExpired
	}
	return nil
}

func (c *claims) identity(key auth.KeyID) *auth.Identity {
	return &auth.Identity{
		User:     auth.User{App: c.ClientID, OpenID: c.Subject},
		UnionID:  c.UnionID,
		Session:  c.Session,
		TokenID:  c.ID,
		Key:      key,
		IssuedAt: time.Unix(c.IssuedAt, 0),
		Expires:  time.Unix(c.Expires, 0),
	}
}

// pseudonymBytes is enough that no two users of an app share one by chance.
const pseudonymBytes = 12

// Pseudonym names a user in logs: the same for every request of the user. The hash
// is keyed, so that a reader of the log does not learn the openid.
func (t *Tokens) Pseudonym(u auth.User) string {
	mac := t.box.MAC("log/user", []byte(string(u.App)+"\x00"+string(u.OpenID)))
	return base64.RawURLEncoding.EncodeToString(mac[:pseudonymBytes])
}
