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

// jwk is the public half of a key (RFC 7517), with its members in the order in
// which RFC 7638 hashes them.
type jwk struct {
	Crv string `json:"crv,omitzero"`
	E   string `json:"e,omitzero"`
	K   string `json:"k,omitzero"` // an HS256 secret: hashed for its ID, never published
	Kty string `json:"kty"`
	N   string `json:"n,omitzero"`
	X   string `json:"x,omitzero"`
	Y   string `json:"y,omitzero"`

	// The members that RFC 7638 does not hash.
	Alg Alg        `json:"alg,omitzero"`
	Kid auth.KeyID `json:"kid,omitzero"`
	Use string     `json:"use,omitzero"`
}

// newJWK checks a key and returns the members that its thumbprint requires.
func newJWK(alg Alg, public any) (jwk, error) {
	switch k := public.(type) {
	case ed25519.PublicKey:
		if err := checkEd25519(alg, k); err != nil {
			return jwk{}, err
		}
		return jwk{Kty: "OKP", Crv: "Ed25519", X: encode(k)}, nil
	case *ecdsa.PublicKey:
		point, err := checkECDSA(alg, k)
		if err != nil {
			return jwk{}, err
		}
		x, y := point[:coordinateBytes], point[coordinateBytes:]
		return jwk{Kty: "EC", Crv: "P-256", X: encode(x), Y: encode(y)}, nil
	case *rsa.PublicKey:
		if err := checkRSA(alg, k); err != nil {
			return jwk{}, err
		}
		return jwk{Kty: "RSA", N: encode(k.N.Bytes()), E: encode(big.NewInt(int64(k.E)).Bytes())}, nil
	case []byte:
		if err := checkSecret(alg, k); err != nil {
			return jwk{}, err
		}
		return jwk{Kty: "oct", K: encode(k)}, nil
	default:
		return jwk{}, fmt.Errorf("%w: keys of type %T are not used here", ErrAlg, public)
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// thumbprint returns the key's ID (RFC 7638). It depends only on the key: two gateways with the
// same key have the same ID for it, and no ID ever means a different key.
func (k jwk) thumbprint() (auth.KeyID, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("writing a key's thumbprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return auth.KeyID(encode(sum[:])), nil
}

// JWKS returns the public key set (RFC 7517) and its entity tag. It leaves out
// HS256 secrets: any client that knows one can sign tokens.
func JWKS(keys []*Key) (body []byte, etag string, err error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		if k.alg.Public() {
			published := k.jwk
			published.Alg, published.Kid, published.Use = k.alg, k.id, "sig"
			set.Keys = append(set.Keys, published)
		}
	}
	if body, err = json.Marshal(set); err != nil {
		return nil, "", fmt.Errorf("writing the key set: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}
