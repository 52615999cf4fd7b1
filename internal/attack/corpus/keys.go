package corpus

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

var b64 = base64.RawURLEncoding

// publicKey is one key of the gateway's key set.
type publicKey struct {
	jwk json.RawMessage
	kid string
	key any // of a type of crypto/x509
}

type jwkFields struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Kid string `json:"kid,omitempty"`
}

// parseKeys parses the keys of supported types.
func parseKeys(set string) []publicKey {
	var parsed struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal([]byte(set), &parsed) != nil {
		return nil
	}
	var keys []publicKey
	for _, raw := range parsed.Keys {
		var f jwkFields
		if json.Unmarshal(raw, &f) != nil {
			continue
		}
		if key := f.public(); key != nil {
			keys = append(keys, publicKey{jwk: raw, kid: f.Kid, key: key})
		}
	}
	return keys
}

func (f *jwkFields) public() any {
	raw := func(s string) []byte { b, _ := b64.DecodeString(s); return b } // invalid base64url is not a valid key
	switch f.Kty {
	case "OKP":
		if x := raw(f.X); len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	case "EC":
		if f.Crv == "P-256" {
			point := append(append([]byte{4}, raw(f.X)...), raw(f.Y)...)
			if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
				return key
			}
		}
	case "RSA":
		if n, e := raw(f.N), new(big.Int).SetBytes(raw(f.E)); len(n) > 0 && e.IsInt64() {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}
		}
	}
	return nil
}

// spellings returns the bytes that a library might use as an HMAC secret if its key is a
// public key (CVE-2015-9235).
func (k publicKey) spellings() map[string][]byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	out := map[string][]byte{"der": der, "pem": text, "pem-trimmed": text[:len(text)-1], "jwk": k.jwk}
	if key, ok := k.key.(ed25519.PublicKey); ok {
		out["raw"], out["base64url"] = key, []byte(b64.EncodeToString(key))
	}
	return out
}

// attacker is the attacker's key.
var attacker = func() ed25519.PrivateKey {
	_, key, _ := ed25519.GenerateKey(rand.Reader) // never fails: crypto/rand.Read
	return key
}()

func attackerJWK() map[string]any {
	return map[string]any{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": attackerKid,
		"x": b64.EncodeToString(attacker.Public().(ed25519.PublicKey)),
	}
}

const attackerKid = "attacker"

// AttackerJWKS returns the attacker's key set.
func AttackerJWKS() string {
	set, _ := json.Marshal(map[string]any{"keys": []any{attackerJWK()}}) // cannot fail: strings only
	return string(set)
}

// signES256 signs as JWS requires: r and s, with 32 bytes each.
func signES256(key *ecdsa.PrivateKey, text string) ([]byte, error) {
	const half = 32
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 2*half)
	r.FillBytes(signature[:half])
	s.FillBytes(signature[half:])
	return signature, nil
}

// ParseSigner parses a private key in PEM: PKCS#8, SEC 1 or PKCS#1.
func ParseSigner(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the signing key is not PEM")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the signing key is neither Ed25519, ECDSA nor RSA: %w", err)
	}
	return key, nil
}
