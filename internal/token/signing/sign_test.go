package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/wxgate/wxgate/internal/token/signing"
)

var allAlgs = []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256, signing.HS256}

// TestGenerate signs with a new key of each algorithm, and verifies with its stored form.
func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		key := must(signing.Generate(alg))
		if other := must(signing.Generate(alg)); other.ID() == key.ID() {
			t.Errorf("%s: the same key twice", alg)
		}
		if key.Alg() != alg || !key.CanSign() {
			t.Errorf("%s: got %s, signs: %v", alg, key, key.CanSign())
		}
		signature := must(key.Sign("text"))
		for _, publicOnly := range []bool{false, true} {
			stored := must(signing.FromMaterial(alg, must(key.Material(publicOnly)), publicOnly))
			if stored.ID() != key.ID() || stored.Alg() != alg || stored.CanSign() != (!publicOnly || alg == signing.HS256) {
				t.Errorf("%s, public only %v: got %s, signs: %v", alg, publicOnly, stored, stored.CanSign())
			}
			if !stored.Verify("text", signature) {
				t.Errorf("%s, public only %v: a valid signature is refused", alg, publicOnly)
			}
			if stored.Verify("Text", signature) || stored.Verify("text", signature[1:]) || stored.Verify("text", nil) {
				t.Errorf("%s, public only %v: a wrong signature is accepted", alg, publicOnly)
			}
			if _, err := stored.Sign("text"); (err == nil) != stored.CanSign() {
				t.Errorf("%s, public only %v: signing: %v", alg, publicOnly, err)
			} else if err != nil && !strings.Contains(err.Error(), string(key.ID())) {
				t.Errorf("%s: the error does not name the key: %v", alg, err)
			}
		}
	}
	if key, err := signing.Generate("none"); !errors.Is(err, signing.ErrAlg) || key != nil {
		t.Errorf("got %v, %v, want ErrAlg", key, err)
	}
}

// TestFromMaterialRefuses parses material that Material does not return.
func TestFromMaterialRefuses(t *testing.T) {
	t.Parallel()
	ed := must(signing.Generate(signing.EdDSA))
	private, public := must(ed.Material(false)), must(ed.Material(true))
	for name, row := range map[string]struct {
		alg        signing.Alg
		material   []byte
		publicOnly bool
		want       error
	}{
		"nothing":                {signing.EdDSA, nil, false, signing.ErrKey},
		"nothing, public":        {signing.EdDSA, nil, true, signing.ErrKey},
		"public for private":     {signing.EdDSA, public, false, signing.ErrKey},
		"private for public":     {signing.EdDSA, private, true, signing.ErrKey},
		"of another alg":         {signing.ES256, private, false, signing.ErrAlg},
		"of another alg, public": {signing.ES256, public, true, signing.ErrAlg},
		"short secret":           {signing.HS256, make([]byte, 31), true, signing.ErrWeakKey},
		"unknown alg":            {"none", private, false, signing.ErrAlg},
	} {
		if key, err := signing.FromMaterial(row.alg, row.material, row.publicOnly); !errors.Is(err, row.want) || key != nil {
			t.Errorf("%s: got %v, %v, want %v", name, key, err, row.want)
		}
	}
}

// TestJWKS reads the key set with a different library: it has the public keys under their
// thumbprints, and no secret.
func TestJWKS(t *testing.T) {
	t.Parallel()
	var keys []*signing.Key
	for _, alg := range allAlgs {
		keys = append(keys, must(signing.Generate(alg)))
	}
	body, etag, err := signing.JWKS(keys)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 3 {
		t.Fatalf("%d keys of %s, want 3", len(set.Keys), body)
	}
	for i, key := range set.Keys {
		want := keys[i]
		if key.KeyID != string(want.ID()) || key.Algorithm != string(want.Alg()) || key.Use != "sig" || !key.IsPublic() || !key.Valid() {
			t.Errorf("got %+v, want %s", key, want)
		}
	}
	if bytes.Contains(body, []byte("oct")) || bytes.Contains(body, []byte(`"k"`)) {
		t.Errorf("a secret is published: %s", body)
	}
	if _, other, _ := signing.JWKS(keys[:2]); len(etag) != 34 || other == etag {
		t.Errorf("entity tags %s and %s", etag, other)
	}
	if body, _, err := signing.JWKS(nil); err != nil || string(body) != `{"keys":[]}` {
		t.Errorf("got %s, %v", body, err)
	}
}

// TestPublic: a key is public if others can verify with it but not sign.
func TestPublic(t *testing.T) {
	t.Parallel()
	for alg, want := range map[signing.Alg]bool{
		signing.EdDSA: true, signing.ES256: true, signing.RS256: true, signing.HS256: false, "none": false, "": false, "HS512": false,
	} {
		if alg.Public() != want {
			t.Errorf("%q: public is %v", alg, !want)
		}
	}
}

// TestParsedKeySigns: ParseKey returns the key in the text.
func TestParsedKeySigns(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key := must(signing.ParseKey(signing.EdDSA, privatePEM(private)))
	signature := must(key.Sign("text"))
	if !ed25519.Verify(private.Public().(ed25519.PublicKey), []byte("text"), signature) {
		t.Error("the signature is not from this key")
	}
}
