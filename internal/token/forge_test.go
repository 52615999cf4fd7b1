package token_test

import (
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// TestForgerIsGood: the tokens that the tables below modify are accepted unmodified.
func TestForgerIsGood(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		f := newForger(t, alg)
		f.MustVerify(t, f.sign(f.header(""), payload("", "")))
		f.MustVerify(t, f.sign(f.header(""), payload("aud", `["shop","wxgate"]`)))
		f.MustVerify(t, f.sign(f.header(""), payload("acr", `{"a":[1,2.5e3,null]}`)))
	}
}

// TestForgedForm changes the encoding of a valid token. If one of these were accepted,
// a token would have two encodings: a deny list of tokens would miss one, and a proxy
// in front may read another token than wxgate.
func TestForgedForm(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	raw := f.sign(f.header(""), payload("", ""))
	part := strings.Split(raw, ".")
	// 64 bytes leave 4 unused bits in the last character of a signature.
	last := raw[len(raw)-1]
	variant := raw[:len(raw)-1] + string(last+1)
	for name, row := range map[string]struct {
		raw  string
		want error
	}{
		"empty":                  {"", token.RuleForm},
		"dots alone":             {"..", token.RuleForm},
		"no dot":                 {strings.ReplaceAll(raw, ".", ""), token.RuleForm},
		"one dot":                {part[0] + "." + part[1], token.RuleForm},
		"no signature":           {part[0] + "." + part[1] + ".", token.RuleForm},
		"no payload":             {part[0] + ".." + part[2], token.RuleForm},
		"no header":              {"." + part[1] + "." + part[2], token.RuleForm},
		"three dots":             {raw + ".", token.RuleForm},
		"JWE, four dots":         {raw + ".a.b", token.RuleForm},
		"8000 dots":              {strings.Repeat(".", 8000), token.RuleTooLong},
		"4096 dots":              {strings.Repeat(".", 4096), token.RuleForm},
		"4097 dots":              {strings.Repeat(".", 4097), token.RuleTooLong},
		"LF at the end":          {raw + "\n", token.RuleForm},
		"CR in the signature":    {raw[:len(raw)-4] + "\r" + raw[len(raw)-4:], token.RuleForm},
		"LF in the payload":      {part[0] + "." + part[1][:8] + "\n" + part[1][8:] + "." + part[2], token.RuleForm},
		"space before":           {" " + raw, token.RuleForm},
		"with Bearer prefix":     {"Bearer " + raw, token.RuleForm},
		"two tokens":             {raw + "," + raw, token.RuleForm},
		"padding":                {raw + "==", token.RuleForm},
		"standard base64":        {part[0] + "." + part[1] + "." + strings.Repeat("+/", 43), token.RuleForm},
		"NUL":                    {raw + "\x00", token.RuleForm},
		"UTF-8":                  {part[0] + "." + part[1] + "é." + part[2], token.RuleForm},
		"trailing bits":          {variant, token.RuleForm},
		"JSON serialization":     {`{"payload":"` + part[1] + `"}`, token.RuleForm},
		"5 KiB":                  {part[0] + "." + strings.Repeat("A", 5<<10) + "." + part[2], token.RuleTooLong},
		"signature changed":      {flip(raw, len(raw)-10), token.RuleSignature},
		"signature cut":          {raw[:len(raw)-2], token.RuleSignature},
		"signature longer":       {raw[:len(raw)-2] + "AAAAAA", token.RuleSignature},
		"payload changed":        {flip(raw, len(part[0])+10), token.RuleSignature},
		"parts of another token": {part[0] + "." + b64(payload("sub", `"admin"`)) + "." + part[2], token.RuleSignature},
	} {
		t.Run(name, func(t *testing.T) { f.mustRefuse(t, row.raw, row.want) })
	}
	f.MustVerify(t, raw)
	f.Flush()
	f.mustRefuse(t, variant, token.RuleForm) // also with the original in the cache
}

// TestForgedHeader signs other headers with the real key. Some JWT library accepted each of
// them.
func TestForgedHeader(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	k := f.kid
	for name, row := range map[string]struct {
		header string
		want   error
	}{
		"crit":                   {f.header(`,"crit":["exp"]`), token.RuleHeader},
		"crit empty":             {f.header(`,"crit":[]`), token.RuleHeader},
		"b64":                    {f.header(`,"b64":false`), token.RuleHeader},
		"b64 true":               {f.header(`,"b64":true`), token.RuleHeader},
		"b64 in crit":            {f.header(`,"b64":false,"crit":["b64"]`), token.RuleHeader},
		"jku":                    {f.header(`,"jku":"https://evil.example/jwks.json"`), token.RuleHeader},
		"jwk":                    {f.header(`,"jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}`), token.RuleHeader},
		"x5u":                    {f.header(`,"x5u":"https://evil.example/c.pem"`), token.RuleHeader},
		"x5c":                    {f.header(`,"x5c":["AA"]`), token.RuleHeader},
		"x5t":                    {f.header(`,"x5t":"AA"`), token.RuleHeader},
		"x5t#S256":               {f.header(`,"x5t#S256":"AA"`), token.RuleHeader},
		"zip":                    {f.header(`,"zip":"DEF"`), token.RuleHeader},
		"cty":                    {f.header(`,"cty":"JWT"`), token.RuleHeader},
		"enc":                    {f.header(`,"enc":"A256GCM"`), token.RuleHeader},
		"null member":            {f.header(`,"jku":null`), token.RuleHeader},
		"case variant":           {f.header(`,"Alg":"none"`), token.RuleHeader},
		"KID":                    {f.header(`,"KID":"x"`), token.RuleHeader},
		"duplicate alg":          {f.header(`,"alg":"EdDSA"`), token.RuleHeader},
		"duplicate alg, escaped": {f.header(`,"\u0061lg":"none"`), token.RuleHeader},
		"duplicate kid":          {f.header(`,"kid":"x"`), token.RuleHeader},
		"trailing data":          {f.header("") + "{}", token.RuleHeader},
		"comment":                {f.header("") + "//", token.RuleHeader},
		"invalid UTF-8":          {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + k + "\xff\"}", token.RuleHeader},
		"array":                  {`[]`, token.RuleHeader},
		"text":                   {`"x"`, token.RuleHeader},
		"deep":                   {f.header(`,"a":` + strings.Repeat("[", 2000)), token.RuleHeader},
		"kid a number":           {`{"alg":"EdDSA","typ":"at+jwt","kid":1}`, token.RuleHeader},
		"alg an array":           {`{"alg":["EdDSA"],"typ":"at+jwt","kid":"` + k + `"}`, token.RuleHeader},
		"nothing":                {`null`, token.RuleType},
		"no typ":                 {`{"alg":"EdDSA","kid":"` + k + `"}`, token.RuleType},
		"typ JWT":                {`{"alg":"EdDSA","typ":"JWT","kid":"` + k + `"}`, token.RuleType},
		"typ upper case":         {`{"alg":"EdDSA","typ":"AT+JWT","kid":"` + k + `"}`, token.RuleType},
		"typ in full":            {`{"alg":"EdDSA","typ":"application/at+jwt","kid":"` + k + `"}`, token.RuleType},
		"typ assertion":          {`{"alg":"EdDSA","typ":"wx-assertion+jwt","kid":"` + k + `"}`, token.RuleType},
		"no kid":                 {`{"alg":"EdDSA","typ":"at+jwt"}`, token.RuleKeyID},
		"kid a path":             {`{"alg":"EdDSA","typ":"at+jwt","kid":"../../../dev/null"}`, token.RuleKeyID},
		"kid SQL":                {`{"alg":"EdDSA","typ":"at+jwt","kid":"x' OR '1'='1"}`, token.RuleKeyID},
		"kid a line":             {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + k + `\n"}`, token.RuleKeyID},
		"kid long":               {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + strings.Repeat("k", 65) + `"}`, token.RuleKeyID},
		"kid unknown":            {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + strings.Repeat("k", 43) + `"}`, token.RuleNoKey},
		"kid of 64 bytes":        {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + strings.Repeat("k", 64) + `"}`, token.RuleNoKey},
		"kid in lower case":      {`{"alg":"EdDSA","typ":"at+jwt","kid":"` + strings.ToLower(k) + `"}`, token.RuleNoKey},
		"no alg":                 {`{"typ":"at+jwt","kid":"` + k + `"}`, token.RuleAlgorithm},
		"alg in lower case":      {`{"alg":"eddsa","typ":"at+jwt","kid":"` + k + `"}`, token.RuleAlgorithm},
		"alg Ed25519":            {`{"alg":"Ed25519","typ":"at+jwt","kid":"` + k + `"}`, token.RuleAlgorithm},
	} {
		t.Run(name, func(t *testing.T) { f.mustRefuse(t, f.sign(row.header, payload("", "")), row.want) })
	}
}

// TestNone is the oldest attack: no signature, and alg "none".
func TestNone(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		f := newForger(t, alg)
		for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
			signed := b64(`{"alg":"`+none+`","typ":"at+jwt","kid":"`+f.kid+`"}`) + "." + b64(payload("", ""))
			f.mustRefuse(t, signed+".", token.RuleForm)
			f.mustRefuse(t, signed, token.RuleForm)
			f.mustRefuse(t, signed+".AA", token.RuleAlgorithm)
		}
	}
}

// TestAlgorithmConfusion signs with the public key as an HMAC secret. APISIX accepted such
// tokens as late as 2026.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	for _, alg := range []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256} {
		f := newForger(t, alg)
		header := func(alg string) string { return `{"alg":"` + alg + `","typ":"at+jwt","kid":"` + f.kid + `"}` }
		body, _ := f.Ring.JWKS()
		for name, known := range map[string][]byte{
			"PEM": publicPEM(f.public), "PEM trimmed": []byte(strings.TrimSpace(string(publicPEM(f.public)))),
			"DER": must(x509.MarshalPKIXPublicKey(f.public)), "the key set": body, "the kid": []byte(f.kid), "nothing": {},
		} {
			for _, hs := range []string{"HS256", "HS384", "HS512"} {
				t.Run(string(alg)+" as "+hs+" with "+name, func(t *testing.T) {
					f.mustRefuse(t, signWith(hs, known, header(hs), payload("", "")), token.RuleAlgorithm)
					f.mustRefuse(t, signWith(hs, known, f.header(""), payload("", "")), token.RuleSignature)
				})
			}
		}
		if key, ok := f.private.(*rsa.PrivateKey); ok {
			for _, other := range []string{"RS384", "RS512", "PS256"} {
				f.mustRefuse(t, signWith(other, key, header(other), payload("", "")), token.RuleAlgorithm)
				f.mustRefuse(t, signWith(other, key, f.header(""), payload("", "")), token.RuleSignature)
			}
		}
	}
}

// TestMalleableECDSA: for every ECDSA signature (r, s), (r, n-s) is valid too. So
// wxgate never identifies a token by its bytes: both have the same identity, and a
// revocation by session, user or key applies to both.
func TestMalleableECDSA(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.ES256)
	raw := f.sign(f.header(""), payload("", ""))
	variant := otherSignature(t, raw)
	if raw == variant {
		t.Fatal("no other spelling was made")
	}
	a, b := f.MustVerify(t, raw), f.MustVerify(t, variant)
	if *a != *b {
		t.Errorf("one signature, two identities: %+v and %+v", a, b)
	}
	f.Clock.Add(time.Hour)
	f.mustRefuse(t, variant, auth.ErrTokenExpired)
}
