package token

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/wxgate/wxgate/internal/auth"
)

// Push is a message from WeChat for whose delivery an assertion is signed.
type Push struct {
	ID       string // jti: the same at each attempt
	Audience string // the receiving service
	App      auth.AppID
	OpenID   auth.OpenID // empty for a message without a user
	Body     []byte      // of the request
}

// pushClaims are the claims of the assertion of a push. It covers the body, so that an attacker
// who reads an assertion cannot send another message with it.
type pushClaims struct {
	Issuer   string      `json:"iss"`
	Audience string      `json:"aud"`
	Subject  auth.OpenID `json:"sub,omitzero"`
	ClientID auth.AppID  `json:"client_id"`
	IssuedAt int64       `json:"iat"`
	Expires  int64       `json:"exp"`
	ID       string      `json:"jti"`
	Body     string      `json:"body_sha256"` // base64url, without padding
}

// IssuePush signs that the request contains a message that WeChat pushed. The assertion has a
// different typ and a different audience than the assertion of a client's request, so that a
// user who sends the same body through the gateway cannot impersonate WeChat. Errors are those
// of [Tokens.IssueAssertion].
func (t *Tokens) IssuePush(p *Push) (string, error) {
	key, err := t.asserter(p.Audience)
	if err != nil {
		return "", err
	}
	now, sum := t.now(), sha256.Sum256(p.Body)
	return signClaims(key, typPush, &pushClaims{
		Issuer:   key.Profile().Issuer,
		Audience: p.Audience,
		Subject:  p.OpenID,
		ClientID: p.App,
		IssuedAt: now.Unix(),
		Expires:  now.Add(AssertionLife).Unix(),
		ID:       p.ID,
		Body:     base64.RawURLEncoding.EncodeToString(sum[:]),
	})
}
