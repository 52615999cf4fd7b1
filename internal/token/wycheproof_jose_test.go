package token

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// open goes a request's way up to where the claims begin, with the vectors'
// missing typ in place of ours.
func (t *Tokens) open(raw string) error {
	token, err := parseCompact(raw, "")
	if err != nil {
		return err
	}
	key := t.ring.snapshot().accepted(token.header.Kid, time.Now())
	if key == nil {
		return errNoKey
	}
	_, err = key.open(token)
	return err
}

// TestWycheproofJWS sends every vector the way of a request, twice: as it is,
// where the rule on typ refuses them all, and with that rule set aside, where the
// verdict must be the published one but for these rules of ours.
func TestWycheproofJWS(t *testing.T) {
	t.Parallel()
	var file vectors
	readVectors(t, "json_web_signature_test.json", &file)
	n, opened, byRule := 0, 0, map[string]int{}
	for _, group := range file.Groups {
		var jwk vectorKey
		public := group.Public
		if public == nil {
			public = group.Private
		}
		if err := json.Unmarshal(public, &jwk); err != nil {
			t.Fatal(err)
		}
		key, keyErr := jwk.key()
		tokens := gatewayWith(t, map[string]*Key{jwk.Kid: key})
		if keyErr != nil {
			delete(tokens.ring.snapshot().byID, jwk.Kid)
		}
		valid := map[string]bool{}
		for _, v := range group.Tests {
			n++
			if _, err := tokens.Verify(v.JWS); !errors.Is(err, auth.ErrInvalidToken) || v.valid() && !errors.Is(err, errType) && !errors.Is(err, errForm) {
				t.Errorf("%d %s: as a request: %v", v.ID, v.Comment, err)
			}
			err := tokens.open(v.JWS)
			if v.valid() && err != nil {
				byRule[ruleOf(t, v, keyErr, err)]++
				continue
			}
			if valid[v.JWS] {
				v.Result = "valid" // 367 and 370 lost their padding: they are 357, byte for byte
			}
			wantVerdict(t, v, err)
			if err == nil {
				opened++
				valid[v.JWS] = valid[v.JWS] || v.valid()
			}
		}
	}
	wantCount(t, n, 401)
	t.Logf("%d opened; valid in general, refused by our rules: %v", opened, byRule)
	if opened < 10 {
		t.Errorf("only %d vectors opened: the rest proves little", opened)
	}
}

// ruleOf names the rule of ours that refuses a vector which is valid in general.
func ruleOf(t *testing.T, v vector, keyErr, err error) string {
	t.Helper()
	switch {
	case errors.Is(keyErr, ErrAlg) && errors.Is(err, errNoKey), errors.Is(keyErr, ErrAlg) && errors.Is(err, errKeyID):
		return "four algorithms only"
	case errors.Is(err, errKeyID):
		return "kid is [A-Za-z0-9_-]{1,64}"
	case errors.Is(err, errForm) && v.Comment == "emptyPayload":
		return "no empty part"
	case errors.Is(err, errForm) && strings.HasPrefix(v.Comment, "InvalidCharacterInserted"):
		return "base64url and nothing between" // the vectors allow a decoder to skip what it does not know
	}
	t.Errorf("%d %s: valid, got %v (key: %v)", v.ID, v.Comment, err, keyErr)
	return "unexplained"
}

// TestWycheproofJWK has newKey judge the vectors' keys. Two are about sets that
// are ambiguous; wxgate names keys itself, so it has no set of that kind.
func TestWycheproofJWK(t *testing.T) {
	t.Parallel()
	var file vectors
	readVectors(t, "json_web_key_test.json", &file)
	n, opened := 0, 0
	for _, group := range file.Groups {
		var set vectorKey
		if err := json.Unmarshal(group.Private, &set); err != nil {
			t.Fatal(err)
		}
		keys, names, kinds := map[string]*Key{}, map[string]int{}, map[string]bool{}
		for _, jwk := range set.Keys {
			names[jwk.Kid]++
			kinds[jwk.Kty] = true
			if key, err := jwk.key(); err == nil {
				keys[jwk.Kid] = key
			} else if !errors.Is(err, ErrAlg) && !errors.Is(err, ErrKey) && !errors.Is(err, ErrWeakKey) && !errors.Is(err, errNotForSigning) {
				t.Errorf("%s: %v", group.Comment, err)
			}
		}
		tokens := gatewayWith(t, keys)
		for _, v := range group.Tests {
			n++
			if _, err := tokens.Verify(v.JWS); !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%d %s: as a request: %v", v.ID, group.Comment, err)
			}
			err := tokens.open(v.JWS)
			switch {
			case names[set.Keys[0].Kid] > 1 || len(kinds) > 1:
				// Two keys of one name, or a secret beside a public key: a thumbprint names
				// one key, and the key names the algorithm, so neither is ambiguous here.
			case v.valid() && errors.Is(err, errNoKey) && (set.Keys[0].Alg == "HS384" || set.Keys[0].Alg == "HS512"):
				// Rule: four algorithms only.
			default:
				wantVerdict(t, v, err)
			}
			if err == nil {
				opened++
			}
		}
	}
	wantCount(t, n, 26)
	if opened < 3 {
		t.Errorf("only %d vectors opened: the rest proves little", opened)
	}
}
