package token

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"

	"github.com/wxgate/wxgate/internal/auth"
)

// vectors are a file of C2SP's Wycheproof.
type vectors struct {
	Groups []struct {
		Comment   string          `json:"comment"`
		TagSize   int             `json:"tagSize"` // bits
		PublicKey wycheKey        `json:"publicKey"`
		Private   json.RawMessage `json:"private"`
		Public    json.RawMessage `json:"public"`
		Tests     []vector        `json:"tests"`
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
	JWS     string `json:"jws"`
	Result  string `json:"result"`
}

func (v vector) valid() bool { return v.Result == "valid" }

// readVectors finds a file of vectors as the README beside them says. Under CI a
// missing file fails the test, so that it cannot pass by not running.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	dir := os.Getenv("WYCHEPROOF_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "wycheproof")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skipf("DID NOT RUN: no vectors at %s; set WYCHEPROOF_DIR", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantVerdict fails when a vector's verdict is not the one that was published.
func wantVerdict(t *testing.T, v vector, err error) {
	t.Helper()
	if v.valid() != (err == nil) || err != nil && !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("%d %s: %s, got %v", v.ID, v.Comment, v.Result, err)
	}
}

func TestWycheproofEd25519(t *testing.T) {
	t.Parallel()
	var file vectors
	readVectors(t, "ed25519_test.json", &file)
	n := 0
	for _, group := range file.Groups {
		key, err := newKey(EdDSA, nil, ed25519.PublicKey(unhex(t, group.PublicKey.PK)))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range group.Tests {
			wantVerdict(t, v, key.verify(string(unhex(t, v.Msg)), unhex(t, v.Sig)))
			n++
		}
	}
	wantCount(t, n, 151)
}

func TestWycheproofES256(t *testing.T) {
	t.Parallel()
	var file vectors
	readVectors(t, "ecdsa_secp256r1_sha256_p1363_test.json", &file)
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
			wantVerdict(t, v, key.verify(string(unhex(t, v.Msg)), unhex(t, v.Sig)))
			n++
		}
	}
	wantCount(t, n, 262)
}

// TestWycheproofHS256: two rules of ours refuse what is valid in general: keys
// under 256 bits (RFC 7518 section 3.2) and tags that were cut.
func TestWycheproofHS256(t *testing.T) {
	t.Parallel()
	var file vectors
	readVectors(t, "hmac_sha256_test.json", &file)
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
			wantVerdict(t, v, key.verify(string(unhex(t, v.Msg)), unhex(t, v.Tag)))
		}
	}
	wantCount(t, n, 174)
}

// wantCount keeps a loader that finds less than it should from passing.
func wantCount(t *testing.T, got, want int) {
	t.Helper()
	if got < want {
		t.Errorf("%d vectors, want %d", got, want)
	}
}

// gatewayWith is what serves requests, with keys of the vectors' names.
func gatewayWith(t *testing.T, keys map[string]*Key) *Tokens {
	t.Helper()
	snap := &snapshot{byID: map[string]*entry{}}
	for kid, key := range keys {
		r := &record{Profiles: []profile{{Issuer: "wxgate", Audiences: []string{"wxgate"}, Access: time.Hour}}}
		snap.byID[kid] = &entry{Key: key, record: r, profiles: []span{{profile: r.Profiles[0]}}}
	}
	ring := &Ring{unknown: make(chan struct{}, 1)}
	ring.current.Store(snap)
	c, err := newCache(16, halves)
	if err != nil {
		t.Fatal(err)
	}
	tokens := &Tokens{ring: ring, cache: c, now: time.Now}
	t.Cleanup(tokens.Close)
	return tokens
}
