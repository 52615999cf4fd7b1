package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// vectorKey is a JWK of the vectors. wxgate does not read JWKs; the test converts it to the
// stored form of package signing, which then checks it like any other key.
type vectorKey struct {
	Kty, Crv, Alg, Use, Kid string
	K, N, E, X, Y           string
	KeyOps                  []string    `json:"key_ops"`
	Keys                    []vectorKey // of a set
}

// errNotForSigning is returned for a JWK that is not for signing; wxgate has no such keys.
var errNotForSigning = errors.New("the JWK is not for signing")

func (v vectorKey) key() (*signing.Key, error) {
	if v.Use != "" && v.Use != "sig" || len(v.KeyOps) > 0 && !slices.Contains(v.KeyOps, "verify") && !slices.Contains(v.KeyOps, "sign") &&
		!slices.Contains(v.KeyOps, "sign, verify") {
		return nil, errNotForSigning
	}
	if _, err := signing.ParseAlg(v.Alg); err != nil {
		return nil, err
	}
	raw := func(s string) []byte { b, _ := strictBase64.DecodeString(s); return b }
	switch v.Kty + " " + v.Crv {
	case "oct ":
		return signing.FromMaterial(signing.Alg(v.Alg), raw(v.K), true)
	case "RSA ":
		e := new(big.Int).SetBytes(raw(v.E)).Int64()
		return publicKey(v.Alg, &rsa.PublicKey{N: new(big.Int).SetBytes(raw(v.N)), E: int(e)})
	case "OKP Ed25519":
		return publicKey(v.Alg, ed25519.PublicKey(raw(v.X)))
	case "EC P-256":
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, raw(v.X)...), raw(v.Y)...))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", signing.ErrKey, err)
		}
		return publicKey(v.Alg, public)
	default:
		return nil, fmt.Errorf("%w: %s %s", signing.ErrAlg, v.Kty, v.Crv)
	}
}

func publicKey(alg string, public any) (*signing.Key, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", signing.ErrKey, err)
	}
	return signing.FromMaterial(signing.Alg(alg), der, true)
}

// TestRFC7797 verifies the examples of the unencoded payload option. Their headers make the
// signature cover different bytes than those between the dots.
func TestRFC7797(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rfc7797-hmac-sha2_b64_false.json", "rfc7797-4.2.hmac-sha2_b64_false.json"} {
		var file struct {
			Input struct {
				Payload string
				Key     vectorKey
			}
			Signing struct {
				Protected string `json:"protected_b64u"`
				Sig       string
			}
			Output struct {
				Compact string
				Flat    struct{ Payload, Protected, Signature string } `json:"json_flat"`
			}
		}
		readVectors(t, name, &file)
		key, err := file.Input.Key.key()
		if err != nil {
			t.Fatal(err)
		}
		keys := vectorKeys{"": key}
		tokens := newServing(t, signing.EdDSA, time.Now, cacheHash)
		flat := file.Output.Flat
		for _, row := range []struct {
			raw  string
			want error
		}{
			{file.Output.Compact, errForm},
			{flat.Protected + "." + flat.Payload + "." + flat.Signature, errForm}, // the payload's own bytes
			{flat.Protected + "." + strictBase64.EncodeToString([]byte(flat.Payload)) + "." + flat.Signature, errHeader},
		} {
			if err := keys.open(row.raw); !errors.Is(err, row.want) {
				t.Errorf("%s: %s: got %v, want %v", name, row.raw, err, row.want)
			}
			if _, err := tokens.Verify(row.raw); !errors.Is(err, row.want) {
				t.Errorf("%s: as a request: got %v, want %v", name, err, row.want)
			}
		}
	}
}
