package corpus

import (
	"slices"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// wellSignedAttacks: tokens that are signed with the gateway's key and have invalid content.
// They need the key. They show what an attacker who can influence a part of a token's text
// could gain.
func wellSignedAttacks(t *Target) []Attack {
	return slices.Concat(signedHeaders(t), signedClaims(t), signedTexts(t))
}

func signedAttack(t *Target, id string, forge func(*Secrets) (string, error), advisories []string) Attack {
	a := tokenAttack(t, "signed-"+id, forge, advisories...)
	a.Needs = append(a.Needs, resigned)
	return a
}

// signedHeaders are header parameters that change the signed text or the key.
func signedHeaders(t *Target) []Attack {
	var out []Attack
	header := func(id string, changes part, advisories ...string) {
		out = append(out, signedAttack(t, id, wellSigned(changes, nil), advisories))
	}
	header("crit", part{"crit": []string{"x-unknown"}, "x-unknown": true}, "CVE-2025-59420", "RFC 7515 section 4.1.11")
	header("crit-empty", part{"crit": []string{}}, "RFC 7515 section 4.1.11")
	header("crit-exp", part{"crit": []string{"exp"}, "exp": 1}, "CVE-2025-59420")
	header("b64", part{"b64": false}, "RFC 7797 section 6", "gofiber/contrib#2324")
	header("b64-crit", part{"b64": false, "crit": []string{"b64"}}, "RFC 7797 section 6")
	header("b64-true", part{"b64": true, "crit": []string{"b64"}}, "RFC 7797 section 6")
	header("jwk", part{"jwk": attackerJWK()}, "CVE-2018-0114")
	header("jku", part{"jku": "http://127.0.0.1:9/keys"}, "RFC 8725 section 3.10")
	header("x5c", part{"x5c": []string{"MIIB"}}, "RFC 8725 section 3.10")
	header("x5u", part{"x5u": "http://127.0.0.1:9/cert"}, "RFC 8725 section 3.10")
	header("typ-missing", part{"typ": nil}, "RFC 8725 section 3.11", "RFC 9068 section 4")
	header("typ-jwt", part{"typ": "JWT"}, "RFC 8725 section 3.11")
	header("typ-assertion", part{"typ": "wx-assertion+jwt"}, "RFC 8725 section 3.12")
	header("typ-id-token", part{"typ": "id+jwt"}, "RFC 8725 section 3.12")
	header("alg-case", part{"alg": "eddsa"}, "RFC 7515 section 4.1.1")
	header("alg-other", part{"alg": "ES512"}, "RFC 8725 section 3.1")
	header("kid-missing", part{"kid": nil})
	header("kid-unknown", part{"kid": "unknown"})
	header("zip", part{"zip": "DEF"}, "RFC 8725 section 3.6")
	header("cty-jwt", part{"cty": "JWT"}, "RFC 7519 section 5.2")
	header("alg-twice-by-case", part{"Alg": "none"}, "RFC 8725 section 2.4")
	return out
}

// signedClaims are claims that are missing, out of range or of another issuer.
func signedClaims(t *Target) []Attack {
	var out []Attack
	claims := func(id string, changes part, advisories ...string) {
		out = append(out, signedAttack(t, id, wellSigned(nil, changes), advisories))
	}
	now := time.Now()
	claims("expired", part{"exp": now.Add(-time.Hour).Unix(), "iat": now.Add(-90 * time.Minute).Unix(), "nbf": now.Add(-90 * time.Minute).Unix()}, "RFC 7519 section 4.1.4")
	claims("exp-missing", part{"exp": nil})
	claims("exp-text", part{"exp": "9999999999"})
	claims("exp-float", part{"exp": 1e300})
	claims("exp-far", part{"exp": now.AddDate(10, 0, 0).Unix()})
	claims("exp-negative", part{"exp": -1})
	claims("nbf-future", part{"nbf": now.Add(time.Hour).Unix()}, "RFC 7519 section 4.1.5")
	claims("iat-future", part{"iat": now.Add(time.Hour).Unix(), "exp": now.Add(90 * time.Minute).Unix()})
	claims("iss-missing", part{"iss": nil}, "RFC 8725 section 3.8")
	claims("iss-other", part{"iss": "https://evil.example.com"}, "RFC 8725 section 3.8")
	claims("aud-missing", part{"aud": nil}, "RFC 8725 section 3.9")
	claims("aud-other", part{"aud": "another-service"}, "RFC 8725 section 3.9")
	claims("aud-empty", part{"aud": []string{}}, "RFC 8725 section 3.9")
	claims("aud-object", part{"aud": map[string]any{"x": 1}}, "RFC 8725 section 3.9")
	claims("sub-missing", part{"sub": nil})
	claims("sub-empty", part{"sub": ""})
	claims("sub-newline", part{"sub": "a\r\n" + t.Identity + ": " + Victim})
	claims("sub-at", part{"sub": "a@b"}, "CVE-2026-40574")
	claims("sub-placeholder", part{"sub": "{env.HOME}"}, "CVE-2026-30852")
	claims("sub-case-variant", part{"SUB": Victim}, "RFC 8725 section 2.4")
	claims("unionid-invalid", part{"unionid": "a b"})
	claims("sid-missing", part{"sid": nil})
	return out
}

// signedTexts are payloads that JSON parsers read differently.
func signedTexts(t *Target) []Attack {
	var out []Attack
	text := func(id string, edit func(string) string, advisories ...string) {
		out = append(out, signedAttack(t, id, wellSignedText(edit), advisories))
	}
	text("duplicate-sub", func(s string) string { return strings.Replace(s, "{", `{"sub":"`+Victim+`",`, 1) }, "RFC 7515 section 10.12")
	text("duplicate-exp", func(s string) string { return strings.TrimSuffix(s, "}") + `,"exp":9999999999}` }, "RFC 7515 section 10.12")
	text("trailing-data", func(s string) string { return s + `{"sub":"` + Victim + `"}` })
	text("not-json", func(string) string { return "sub=" + Victim })
	text("array", func(s string) string { return "[" + s + "]" })
	text("byte-order-mark", func(s string) string { return "\ufeff" + s })
	text("not-utf8", func(s string) string { return strings.Replace(s, "{", "{\"x\":\"\xff\",", 1) }, "RFC 8725 section 3.7")
	text("escaped-duplicate", func(s string) string { return strings.Replace(s, "{", `{"\u0073ub":"`+Victim+`",`, 1) }, "RFC 7515 section 10.12")
	return out
}

// severalAttacks: two tokens in one request, of which the gateway checks one and the
// upstream may use the other.
func severalAttacks(t *Target) []Attack {
	path := t.Guarded + "several"
	var out []Attack
	add := func(id string, request wire.Request) {
		out = append(out, Attack{
			ID: "several/" + id, Mechanism: severalMechanism, Needs: []Control{Admitted, guarded}, Request: request, Judge: served,
		})
	}
	authorization := func(values ...string) wire.Request {
		r := wire.Request{Path: path}
		for _, v := range values {
			r.Header = append(r.Header, field("Authorization", v))
		}
		return r
	}
	const good, bad = "Bearer {token}", "Bearer e30.e30.e30"
	add("two-lines-same", authorization(good, good))
	add("two-lines-good-first", authorization(good, bad))
	add("two-lines-good-last", authorization(bad, good))
	add("two-lines-basic-first", authorization("Basic YTpi", good))
	add("two-lines-basic-last", authorization(good, "Basic YTpi"))
	add("two-lines-case", wire.Request{Path: path, Header: []wire.Field{field("Authorization", good), field("AUTHORIZATION", bad)}})
	add("list", authorization(good+", "+bad))
	add("list-good-last", authorization(bad+", "+good))
	add("list-without-space", authorization(good+","+bad))
	add("list-basic", authorization("Basic YTpi, "+good))
	add("two-words", authorization(good+" {token}"))
	add("semicolon", authorization(good+"; "+bad))
	for id, query := range map[string]string{
		"query": "access_token=x", "query-later": "a=b&access_token=x", "query-escaped": "access%5Ftoken=x", "query-empty": "access_token=",
		"query-semicolon": "a=b;access_token=x", "query-case": "Access_Token=x", "query-bare": "access_token", "query-dot": "access.token=x", "query-array": "access_token[]=x",
		"query-bracket": "access[token=x", "query-nul": "access_token%00=x",
		"query-good": "access_token={token}",
	} {
		add(id, wire.Request{Path: path + "?" + query, Header: []wire.Field{field("Authorization", good)}})
	}
	add("query-alone", anonymous(path+"?access_token={token}"))
	// Where a token is optional, a token that the gateway does not recognize reaches the
	// upstream unverified, which may read it more leniently.
	for id, value := range map[string]string{
		"tab": "Bearer\t{token}", "colon": "Bearer: {token}", "equals": "Bearer={token}", "comma": "Bearer,{token}", "list": "Basic YTpi, " + good, "tab-in-list": "Basic YTpi,\tBearer\t{token}",
	} {
		out = append(out, Attack{
			ID: "several/optional-" + id, Mechanism: severalMechanism, Needs: []Control{optional},
			Request: anonymous(t.Optional+"several", field("Authorization", value)), Judge: served,
		})
	}
	return out
}
