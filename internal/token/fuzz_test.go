package token_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// minSeeds is how many inputs are committed for each fuzz target. If there are fewer, the seeds
// were moved, and the targets would test nothing.
const minSeeds = 10

func TestSeedsExist(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"FuzzVerify", "FuzzClaims", "FuzzOpenHandle"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < minSeeds {
			t.Errorf("%s has %d committed seeds, %v", target, len(seeds), err)
		}
		for _, seed := range seeds {
			text, err := os.ReadFile(seed)
			if err != nil || !strings.HasPrefix(string(text), "go test fuzz v1\n") {
				t.Errorf("%s is not a seed: %v", seed, err)
			}
		}
	}
}

// FuzzVerify: every input is refused with one of two errors, unless it is exactly the token
// that the key signed.
func FuzzVerify(f *testing.F) {
	forger := newForger(f, signing.EdDSA)
	good := forger.sign(forger.header(""), payload("", ""))
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := forger.Verify(raw)
		if err == nil && raw != good {
			t.Fatalf("accepted %q", raw)
		}
		if err != nil && (id != nil || !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrTokenExpired)) {
			t.Fatalf("got %v, %v", id, err)
		}
	})
}

// FuzzClaims signs any header and payload, to reach the code after the signature check. An
// accepted token names a user that is safe in a header.
func FuzzClaims(f *testing.F) {
	forger := newForger(f, signing.EdDSA)
	f.Add(forger.header(""), payload("", ""))
	f.Fuzz(func(t *testing.T, header, payload string) {
		id, err := forger.Verify(forger.sign(header, payload))
		if err != nil {
			if !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrTokenExpired) {
				t.Fatal(err)
			}
			return
		}
		if !auth.ValidID(id.OpenID) || !auth.ValidID(id.App) || id.UnionID != "" && !auth.ValidID(id.UnionID) ||
			string(id.Key) != forger.kid || !id.Expires.After(start) || id.Phone != "" {
			t.Fatalf("accepted %s.%s as %+v", header, payload, id)
		}
	})
}

// FuzzOpenHandle: only the session that was sealed is returned.
func FuzzOpenHandle(f *testing.F) {
	g := newGateway(f, nil)
	handle, err := g.SealHandle(session)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(handle)
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, 65)))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := g.OpenHandle(s)
		if err == nil && id != session {
			t.Fatalf("opened %q as %q", s, id)
		}
		if err != nil && !errors.Is(err, auth.ErrSessionStale) {
			t.Fatal(err)
		}
	})
}
