package token

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// tokenIDBytes is the length of a jti: enough that no jti is guessed or repeated.
const tokenIDBytes = 16 // 128 bits

// Issue signs an access token for the identity with the current signing key. Errors wrap
// [ErrIdentity] or keyring.ErrNoSigner.
func (t *Tokens) Issue(id auth.Identity) (string, error) {
	key, err := t.ring.Signer(t.now())
	if err != nil {
		return "", err
	}
	p := key.Profile()
	if err := checkIdentity(&id, p.Access); err != nil {
		return "", err
	}
	c := claims{
		Issuer:    p.Issuer,
		Audience:  p.Audiences,
		Subject:   id.OpenID,
		ClientID:  id.App,
		Session:   id.Session,
		UnionID:   id.UnionID,
		ID:        newTokenID(),
		IssuedAt:  id.IssuedAt.Unix(),
		NotBefore: id.IssuedAt.Unix(),
		Expires:   id.Expires.Unix(), // rounded down, so that no token outlives its session
		Dev:       id.Dev,
	}
	if err := t.sealPrivate(&c, &id); err != nil {
		return "", err
	}
	return signClaims(key, typAccess, &c)
}

// checkIdentity refuses an identity whose token Verify would refuse: the error must reach the
// login and not every later request.
func checkIdentity(id *auth.Identity, longest time.Duration) error {
	if !auth.ValidID(id.OpenID) || !auth.ValidID(id.App) || id.UnionID != "" && !auth.ValidID(id.UnionID) {
		return fmt.Errorf("%w: openid, appid or unionid outside [A-Za-z0-9_-]{1,64}", ErrIdentity)
	}
	if _, err := auth.ParseSessionID(string(id.Session)); err != nil {
		return fmt.Errorf("%w: the session id is malformed", ErrIdentity)
	}
	if id.Phone != "" && !validPhone(id.Phone) {
		return fmt.Errorf("%w: the phone number is not + and digits", ErrIdentity)
	}
	if id.Risk > auth.MaxRiskRank+1 {
		return fmt.Errorf("%w: the risk is not a rank", ErrIdentity)
	}
	if life := id.Expires.Sub(id.IssuedAt); id.IssuedAt.Unix() <= 0 || life < 0 || life > longest {
		return fmt.Errorf("%w: lifetime %s, the ring allows up to %s", ErrIdentity, life, longest)
	}
	return nil
}

// signClaims signs claims under a header with the given typ.
func signClaims(key *keyring.Key, typ string, c any) (string, error) {
	head, err := json.Marshal(header{Alg: key.Alg(), Typ: typ, Kid: string(key.ID())})
	if err != nil {
		return "", fmt.Errorf("writing a token's header: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("writing a token's claims: %w", err)
	}
	token := make([]byte, 0, keyring.MaxTokenBytes)
	token = base64.RawURLEncoding.AppendEncode(token, head)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	signature, err := key.Sign(string(token))
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, signature)), nil
}

func newTokenID() string {
	var b [tokenIDBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read
	return base64.RawURLEncoding.EncodeToString(b[:])
}
