package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// vectors is a file of C2SP's Wycheproof.
type vectors struct {
	Groups []struct {
		TagSize   int      `json:"tagSize"` // bits
		PublicKey wycheKey `json:"publicKey"`
		Tests     []vector `json:"tests"`
	} `json:"testGroups"`
}

type wycheKey struct {
	Uncompressed string `json:"uncompressed"` // ECDSA
	PK           string `json:"pk"`           // Ed25519
}

type vector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Key     string `json:"key"` // HMAC
	Msg     string `json:"msg"`
	Sig     string `json:"sig"`
	Tag     string `json:"tag"` // HMAC
	Result  string `json:"result"`
}

// readVectors reads a file of vectors; the README beside them explains their origin. In CI a
// missing file fails the test, so that the test is never skipped there.
func readVectors(t *testing.T, name string) (file vectors) {
	t.Helper()
	dir := os.Getenv("WYCHEPROOF_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "wycheproof")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skipf("DID NOT RUN: no vectors at %s; set WYCHEPROOF_DIR", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantVerdict fails if the verdict on a vector differs from the published one.
func wantVerdict(t *testing.T, v vector, verified bool) {
	t.Helper()
	if verified != (v.Result == "valid") {
		t.Errorf("%d %s: %s, verified: %v", v.ID, v.Comment, v.Result, verified)
	}
}

func TestWycheproofEd25519(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "ed25519_test.json")
	n := 0
	for _, group := range file.Groups {
		key, err := newKey(EdDSA, nil, ed25519.PublicKey(unhex(t, group.PublicKey.PK)))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range group.Tests {
			wantVerdict(t, v, key.Verify(string(unhex(t, v.Msg)), unhex(t, v.Sig)))
			n++
		}
	}
	wantCount(t, n, 151)
}

func TestWycheproofES256(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "ecdsa_secp256r1_sha256_p1363_test.json")
	n := 0
	for _, group := range file.Groups {
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), unhex(t, group.PublicKey.Uncompressed))
		if err != nil {
			t.Fatal(err)
		}
		key, err := newKey(ES256, nil, public)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range group.Tests {
			wantVerdict(t, v, key.Verify(string(unhex(t, v.Msg)), unhex(t, v.Sig)))
			n++
		}
	}
	wantCount(t, n, 262)
}

// TestWycheproofHS256: wxgate refuses keys under 256 bits (RFC 7518 section 3.2) and
// truncated tags, which the vectors allow.
func TestWycheproofHS256(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "hmac_sha256_test.json")
	n := 0
	for _, group := range file.Groups {
		for _, v := range group.Tests {
			n++
			secret := unhex(t, v.Key)
			key, err := newKey(HS256, secret, secret)
			if len(secret) < minHMACBytes {
				if !errors.Is(err, ErrWeakKey) {
					t.Errorf("%d: a key of %d bytes, got %v, want ErrWeakKey", v.ID, len(secret), err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if group.TagSize < 256 {
				v.Result = "invalid" // rule: the whole tag
			}
			wantVerdict(t, v, key.Verify(string(unhex(t, v.Msg)), unhex(t, v.Tag)))
		}
	}
	wantCount(t, n, 174)
}

// wantCount fails if fewer vectors were read than expected.
func wantCount(t *testing.T, got, want int) {
	t.Helper()
	if got < want {
		t.Errorf("%d vectors, want %d", got, want)
	}
}
