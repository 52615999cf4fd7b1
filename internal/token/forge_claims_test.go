package token_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// otherSignature returns the same ES256 token with (r, n-s) in place of (r, s).
func otherSignature(t *testing.T, raw string) string {
	t.Helper()
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil || len(signature) != 64 {
		t.Fatalf("%d bytes, %v", len(signature), err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return raw[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}

// TestClaimsLeftOut removes each claim, and replaces it by null, by an empty value and by values
// of wrong types.
func TestClaimsLeftOut(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	for _, claim := range validClaims() {
		name := claim[0]
		t.Run(name, func(t *testing.T) {
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "")), token.RuleMissing)
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "null")), token.RuleMissing)
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "{}")), token.RuleClaims)
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "true")), token.RuleClaims)
			if strings.HasPrefix(claim[1], `"`) {
				f.mustRefuse(t, f.sign(f.header(""), payload(name, "1")), token.RuleClaims)
				if name != "aud" {
					f.mustRefuse(t, f.sign(f.header(""), payload(name, `""`)), token.RuleMissing)
					f.mustRefuse(t, f.sign(f.header(""), payload(name, "["+claim[1]+"]")), token.RuleClaims)
				}
				return
			}
			for _, number := range []string{`"` + claim[1] + `"`, claim[1] + ".5", claim[1] + ".0", "1.79e9", "1e400", "-1e400", "99999999999999999999"} {
				f.mustRefuse(t, f.sign(f.header(""), payload(name, number)), token.RuleClaims)
			}
			for _, number := range []string{"0", "-0", "-1", "253402300800", "9223372036854775807", "-9223372036854775808"} {
				f.mustRefuse(t, f.sign(f.header(""), payload(name, number)), token.RuleMissing)
			}
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "NaN")), token.RuleClaims)
			f.mustRefuse(t, f.sign(f.header(""), payload(name, "0"+claim[1])), token.RuleClaims)
		})
	}
}

// TestForgedClaims signs other claims with the real key, including claims that parsers read
// differently.
func TestForgedClaims(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	now := start.Unix()
	for name, row := range map[string]struct {
		payload string
		want    error
	}{
		"duplicate sub":          {payload("sub", `"me","sub":"admin"`), token.RuleClaims},
		"duplicate sub, escaped": {payload("sub", `"me","\u0073ub":"admin"`), token.RuleClaims},
		"duplicate other claim":  {payload("x", `1,"x":2`), token.RuleClaims},
		"SUB":                    {payload("SUB", `"admin"`), token.RuleVariant},
		"Exp":                    {payload("Exp", `9999999999`), token.RuleVariant},
		"long s":                 {payload("ſub", `"admin"`), token.RuleVariant},
		"clientId":               {payload("clientId", `"wx"`), token.RuleVariant},
		"client-id":              {payload("client-id", `"wx"`), token.RuleVariant},
		"Unionid":                {payload("Unionid", `"u"`), token.RuleVariant},
		"phoneNumberVerified":    {payload("phoneNumberVerified", `true`), token.RuleVariant},
		"Dev":                    {payload("Dev", `true`), token.RuleVariant},
		"dev of wrong type":      {payload("dev", `"true"`), token.RuleClaims},
		"trailing data":          {payload("", "") + "{}", token.RuleClaims},
		"array":                  {"[" + payload("", "") + "]", token.RuleClaims},
		"invalid UTF-8":          {payload("x", "\"\xff\""), token.RuleClaims},
		"lone surrogate":         {payload("x", `"\ud800"`), token.RuleClaims},
		"byte order mark":        {"\ufeff" + payload("", ""), token.RuleClaims},
		"not JSON":               {"iss=wxgate", token.RuleClaims},
		"null":                   {"null", token.RuleMissing},
		"sub with dot":           {payload("sub", `"a.b"`), token.RuleMissing},
		"sub header injection":   {payload("sub", `"a\r\nX-Admin: 1"`), token.RuleMissing},
		"sub of 65":              {payload("sub", `"`+strings.Repeat("a", 65)+`"`), token.RuleMissing},
		"sub placeholder":        {payload("sub", `"{env.SECRET}"`), token.RuleMissing},
		"client_id with slash":   {payload("client_id", `"../x"`), token.RuleMissing},
		"unionid with space":     {payload("unionid", `"a b"`), token.RuleMissing},
		"jti long":               {payload("jti", `"`+strings.Repeat("j", 65)+`"`), token.RuleMissing},
		"sid short":              {payload("sid", `"AAAA"`), token.RuleMissing},
		"sid trailing bits":      {payload("sid", `"AAAAAAAAAAAAAAAAAAAAAB"`), token.RuleMissing},
		"aud empty":              {payload("aud", `""`), token.RuleProfile},
		"aud none":               {payload("aud", `[]`), token.RuleMissing},
		"aud numbers":            {payload("aud", `[1]`), token.RuleClaims},
		"aud another":            {payload("aud", `"other"`), token.RuleProfile},
		"aud in other case":      {payload("aud", `"WXGATE"`), token.RuleProfile},
		"aud contains the name":  {payload("aud", `"wxgate.evil.example"`), token.RuleProfile},
		"iss another":            {payload("iss", `"other"`), token.RuleProfile},
		"iss in other case":      {payload("iss", `"Wxgate"`), token.RuleProfile},
		"phone verified, none":   {payload("phone_number_verified", `true`), token.RuleMissing},
		"phone not verified":     {payload("phn", `"AAAA"`), token.RuleMissing},
		"phone unencrypted":      {payload("phn", `"+8610000138000","phone_number_verified":true`), token.RulePhone},
		"phone not sealed here":  {payload("phn", `"`+strings.Repeat("A", 84)+`","phone_number_verified":true`), token.RulePhone},
		"risk unencrypted":       {payload("rnk", `"4"`), token.RuleRanked},
		"risk not sealed here":   {payload("rnk", `"`+strings.Repeat("A", 84)+`"`), token.RuleRanked},
		"risk beside phone":      {payload("rnk", `"AAAA","phn":"AAAA","phone_number_verified":true`), token.RuleMissing},
		"Rnk":                    {payload("Rnk", `"AAAA"`), token.RuleVariant},
		"lifetime too long":      {payload("exp", fmt.Sprint(now+3602)), token.RuleLifetime},
		"lifetime unlimited":     {payload("exp", "253402300799"), token.RuleLifetime},
		"ends before it begins":  {payload("exp", fmt.Sprint(now-1)), token.RuleLifetime},
		"issued in the future":   {payload("iat", fmt.Sprint(now+31)), token.RuleNotYet},
		"not yet":                {payload("nbf", fmt.Sprint(now+31)), token.RuleNotYet},
		"expired now":            {payload("exp", fmt.Sprint(now)), auth.ErrTokenExpired},
	} {
		t.Run(name, func(t *testing.T) { f.mustRefuse(t, f.sign(f.header(""), row.payload), row.want) })
	}
}

// TestSkew: clocks of replicas differ, so iat and nbf may be slightly in the future. Expiry has
// no such tolerance.
func TestSkew(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	ahead := fmt.Sprint(start.Add(keyring.MaxSkew).Unix())
	f.MustVerify(t, f.sign(f.header(""), payload("iat", ahead)))
	f.MustVerify(t, f.sign(f.header(""), payload("nbf", ahead)))
	rounded := fmt.Sprint(start.Add(time.Hour + time.Second).Unix()) // a lifetime may be rounded up
	f.MustVerify(t, f.sign(f.header(""), payload("exp", rounded)))
}

// TestExpiredOnlyWhenGood: a client must not learn from "expired" that its forged token is
// valid otherwise.
func TestExpiredOnlyWhenGood(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	raw := f.sign(f.header(""), payload("", ""))
	f.Clock.Add(2 * time.Hour)
	f.mustRefuse(t, raw, auth.ErrTokenExpired)
	f.mustRefuse(t, flip(raw, len(raw)-10), auth.ErrInvalidToken)
	f.mustRefuse(t, f.sign(f.header(""), payload("aud", `"other"`)), auth.ErrInvalidToken)
}

// TestStolenClaims puts a sealed claim of one token into another session's token, or under a
// different name.
func TestStolenClaims(t *testing.T) {
	t.Parallel()
	f := newForger(t, signing.EdDSA)
	phone, risky := f.User(time.Hour), f.User(time.Hour)
	risky.Risk = 1
	phn, rnk := f.sealed(t, phone, "phn"), f.sealed(t, risky, "rnk")
	risky.Phone = ""
	rankAlone := f.sealed(t, risky, "rnk")
	for name, row := range map[string]struct {
		session  auth.SessionID // of the token; "" for another one
		claim    string
		sealed   string
		verified bool
		want     error
	}{
		"another user's phone": {"", "phn", phn, true, token.RulePhone},
		"another user's risk":  {"", "rnk", rnk, true, token.RuleRanked},
		"phone as risk":        {phone.Session, "rnk", phn, true, token.RuleRanked},
		"risk as phone":        {risky.Session, "phn", rnk, true, token.RulePhone},
		"no phone, verified":   {risky.Session, "rnk", rankAlone, true, token.RuleRanked},
		"phone, not verified":  {risky.Session, "rnk", rnk, false, token.RuleRanked},
	} {
		t.Run(name, func(t *testing.T) {
			value := `"` + row.sealed + `"`
			if row.verified {
				value += `,"phone_number_verified":true`
			}
			text := payload(row.claim, value)
			if row.session != "" {
				text = strings.Replace(text, session, string(row.session), 1)
			}
			f.mustRefuse(t, f.sign(f.header(""), text), row.want)
		})
	}
}

// sealed returns a sealed claim of the token of an identity.
func (f *forger) sealed(t *testing.T, id auth.Identity, claim string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(f.MustIssue(t, id), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), `"`+claim+`":"`)
	if !found {
		t.Fatalf("no claim %s in %s", claim, text)
	}
	sealed, _, _ := strings.Cut(rest, `"`)
	return sealed
}
