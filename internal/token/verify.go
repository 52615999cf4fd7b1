package token

import (
	"encoding/base64"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// timeUnit is the resolution of times in a JWT. Rounding may make a lifetime one unit
// longer.
const timeUnit = time.Second

// verified is a verified token, with the data that is checked again on every cache hit.
type verified struct {
	identity  *auth.Identity
	notBefore time.Time
	issuer    string
	audiences []string
}

// Verify returns the identity of a valid access token. It does not check revocation. Errors
// wrap auth.ErrTokenExpired if the token is valid but expired, otherwise auth.ErrInvalidToken;
// they name the rule and never the token.
//
// Requests share the identity; callers must not change it.
func (t *Tokens) Verify(raw string) (*auth.Identity, error) {
	if len(raw) > maxInputBytes {
		return nil, errTooLong // before the hash: a long token must not cost time (denial of service)
	}
	now := t.now()
	key := t.cache.key(raw)
	if v := t.cache.get(key, raw); v != nil && v.valid(t.ring, now) {
		return v.identity, nil
	}
	v, err := t.verify(raw, now)
	if err != nil {
		return nil, err
	}
	t.cache.put(key, raw, v, now)
	return v.identity, nil
}

// valid checks the token's times, its key and its profile again. Otherwise a cached
// token of a retired key would stay valid (use of a leaked key).
func (v *verified) valid(ring *keyring.Ring, now time.Time) bool {
	if !now.Before(v.identity.Expires) || v.notBefore.After(now.Add(keyring.MaxSkew)) {
		return false
	}
	key := ring.Accepted(string(v.identity.Key), now)
	return key != nil && key.ProfileFor(v.issuer, v.audiences, now) != nil
}

// verify checks a token that is not in the cache.
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
	if err := checkClaims(key, c, now); err != nil {
		return nil, err
	}
	id := c.identity(key.ID())
	id.Pseudonym = t.Pseudonym(id.User)
	if err := t.openPrivate(c, id); err != nil {
		return nil, err
	}
	return &verified{identity: id, notBefore: time.Unix(c.NotBefore, 0), issuer: c.Issuer, audiences: c.Audience}, nil
}

// openPayload verifies the signature with the key's algorithm, and only then decodes the
// payload.
func openPayload(key *signing.Key, token *compact) ([]byte, error) {
	if token.header.Alg != key.Alg() {
		return nil, errAlgorithm // the key decides: otherwise RS256's public key could verify HS256
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

// checkClaims compares the claims with the key's profiles and with the clock. Another replica's
// clock may be ahead, so iat and nbf may be up to MaxSkew in the future; exp has no tolerance.
// Expiry comes last: a token counts as expired only if it is valid otherwise.
func checkClaims(key *keyring.Key, c *claims, now time.Time) error {
	p := key.ProfileFor(c.Issuer, c.Audience, now)
	if p == nil {
		return errProfile
	}
	issued, expires := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	if life := expires.Sub(issued); life < 0 || life > p.Access+timeUnit {
		return errLifetime // a token that was forged with a leaked key must not be valid for years
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
		Dev:      c.Dev,
		TokenID:  c.ID,
		Key:      key,
		IssuedAt: time.Unix(c.IssuedAt, 0),
		Expires:  time.Unix(c.Expires, 0),
	}
}

// pseudonymBytes is enough that no two users of an app have the same pseudonym.
const pseudonymBytes = 12

// Pseudonym returns a user's name for logs, the same for every request. The hash is keyed, so
// that a reader of the logs cannot determine the openid.
func (t *Tokens) Pseudonym(u auth.User) string {
	mac := t.box.MAC("log/user", []byte(string(u.App)+"\x00"+string(u.OpenID)))
	return base64.RawURLEncoding.EncodeToString(mac[:pseudonymBytes])
}
