package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

// jwk is the public half of a key (RFC 7517), its members in the order in which
// RFC 7638 hashes them.
type jwk struct {
	Crv string `json:"crv,omitzero"`
	E   string `json:"e,omitzero"`
	K   string `json:"k,omitzero"` // an HS256 secret: hashed for its ID, never published
	Kty string `json:"kty"`
	N   string `json:"n,omitzero"`
	X   string `json:"x,omitzero"`
	Y   string `json:"y,omitzero"`

	// What RFC 7638 leaves out of the hash.
	Alg Alg        `json:"alg,omitzero"`
	Kid auth.KeyID `json:"kid,omitzero"`
	Use string     `json:"use,omitzero"`
}

// newJWK holds no more than the members that RFC 7638 requires for a thumbprint.
func newJWK(public any) (jwk, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := public.(type) {
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: b64(k)}, nil
	case *ecdsa.PublicKey:
		point, err := k.ECDH()
		if err != nil {
			return jwk{}, fmt.Errorf("%w: the public point is not on the curve", ErrKey)
		}
		xy := point.Bytes()[1:] // after the mark of an uncompressed point
		half := len(xy) / 2
		return jwk{Kty: "EC", Crv: "P-256", X: b64(xy[:half]), Y: b64(xy[half:])}, nil
	case *rsa.PublicKey:
		return jwk{Kty: "RSA", N: b64(k.N.Bytes()), E: b64(big.NewInt(int64(k.E)).Bytes())}, nil
	case []byte:
		return jwk{Kty: "oct", K: b64(k)}, nil
	default:
		return jwk{}, fmt.Errorf("%w: keys of type %T are not used here", ErrAlg, public)
	}
}

// thumbprint names a key by what it is (RFC 7638), so that two gateways with one
// key agree on its name and a name can never come to mean another key.
func thumbprint(public any) (auth.KeyID, error) {
	k, err := newJWK(public)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("writing a key's thumbprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return auth.KeyID(base64.RawURLEncoding.EncodeToString(sum[:])), nil
}

// JWKS returns the public key set (RFC 7517) and its entity tag. It leaves out
// HS256 secrets: any client that knows one can sign tokens.
func JWKS(keys []*Key) (body []byte, etag string, err error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		if !k.alg.Public() {
			continue
		}
		public, err := newJWK(k.public)
		if err != nil {
			return nil, "", err
		}
		public.Alg, public.Kid, public.Use = k.alg, k.id, "sig"
		set.Keys = append(set.Keys, public)
	}
	if body, err = json.Marshal(set); err != nil {
		return nil, "", fmt.Errorf("writing the key set: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}
