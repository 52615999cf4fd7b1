package token

import "fmt"

// Event is a Security Event Token (RFC 8417) to be signed.
type Event struct {
	ID       string         // jti: the same each time that the event is sent
	Audience string         // the receiver
	Subject  any            // sub_id (RFC 9493), encoded as JSON
	Events   map[string]any // URI of the event type -> claims, encoded as JSON
}

// eventClaims are the claims of a Security Event Token. It has neither sub nor exp, so that it
// cannot be mistaken for a token of another kind (RFC 8417 section 4.6).
type eventClaims struct {
	Issuer   string         `json:"iss"`
	Audience string         `json:"aud"`
	IssuedAt int64          `json:"iat"`
	ID       string         `json:"jti"`
	Subject  any            `json:"sub_id"`
	Events   map[string]any `json:"events"`
}

// IssueEvent signs an event. Errors wrap [ErrAssertion] if the key is an HS256 secret,
// which the receiver would need and could then sign with, or keyring.ErrNoSigner.
func (t *Tokens) IssueEvent(e *Event) (string, error) {
	key, err := t.ring.Signer(t.now())
	if err != nil {
		return "", err
	}
	if !key.Alg().Public() {
		return "", fmt.Errorf("%w: every verifier of %s can also sign; set alg to EdDSA or ES256", ErrAssertion, key.Alg())
	}
	return signClaims(key, typEvent, &eventClaims{
		Issuer:   key.Profile().Issuer,
		Audience: e.Audience,
		IssuedAt: t.now().Unix(),
		ID:       e.ID,
		Subject:  e.Subject,
		Events:   e.Events,
	})
}
