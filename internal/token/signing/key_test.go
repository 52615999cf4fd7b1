package signing_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/token/signing"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func privatePEM(key any) []byte {
	return block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

func publicPEM(key any) []byte {
	return block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key)))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// weakRSA generates a key that Go's generator refuses to generate.
func weakRSA(bits int, exponent int64) *rsa.PrivateKey {
	one, e := big.NewInt(1), big.NewInt(exponent)
	for {
		p, q := must(rand.Prime(rand.Reader, bits/2)), must(rand.Prime(rand.Reader, bits/2))
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		n := new(big.Int).Mul(p, q)
		if d == nil || n.BitLen() < bits {
			continue
		}
		k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(exponent)}, D: d, Primes: []*big.Int{p, q}}
		k.Precompute()
		return k
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	sec1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))
	params := block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	for name, row := range map[string]struct {
		alg  signing.Alg
		text []byte
	}{
		"Ed25519 PKCS#8":        {signing.EdDSA, privatePEM(ed)},
		"P-256 PKCS#8":          {signing.ES256, privatePEM(ec)},
		"P-256 SEC 1":           {signing.ES256, sec1},
		"P-256 as openssl does": {signing.ES256, append(params, sec1...)},
		"RSA PKCS#8":            {signing.RS256, privatePEM(r)},
		"RSA PKCS#1":            {signing.RS256, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r))},
		"text around":           {signing.EdDSA, append([]byte("my key\n"), privatePEM(ed)...)},
		"secret":                {signing.HS256, bytes.Repeat([]byte{0xff}, 32)},
		"the longest secret":    {signing.HS256, make([]byte, 16<<10)},
	} {
		key, err := signing.ParseKey(row.alg, row.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if key.Alg() != row.alg || len(key.ID()) != 43 || !key.CanSign() {
			t.Errorf("%s: %s", name, key)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, key); got != fmt.Sprintf("%s key %s", key.Alg(), key.ID()) {
				t.Errorf("%s prints as %s", verb, got)
			}
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	x25519 := must(ecdh.X25519().GenerateKey(rand.Reader))
	for name, row := range map[string]struct {
		alg     signing.Alg
		text    []byte
		want    error
		message string
	}{
		"unknown alg":        {"ES512", privatePEM(p256), signing.ErrAlg, `unrecognized "ES512"`},
		"alg none":           {"none", nil, signing.ErrAlg, `unrecognized "none"; expected one of: EdDSA, ES256, RS256, HS256`},
		"alg in lower case":  {"eddsa", privatePEM(ed), signing.ErrAlg, `unrecognized "eddsa"`},
		"Ed25519 for ES256":  {signing.ES256, privatePEM(ed), signing.ErrAlg, "an Ed25519 key cannot sign ES256"},
		"P-256 for EdDSA":    {signing.EdDSA, privatePEM(p256), signing.ErrAlg, "an ECDSA key on P-256 cannot sign EdDSA"},
		"P-384 for ES256":    {signing.ES256, privatePEM(p384), signing.ErrAlg, "an ECDSA key on P-384 cannot sign ES256"},
		"RSA for EdDSA":      {signing.EdDSA, privatePEM(r), signing.ErrAlg, "an RSA key cannot sign EdDSA"},
		"P-256 for RS256":    {signing.RS256, privatePEM(p256), signing.ErrAlg, "an ECDSA key on P-256 cannot sign RS256"},
		"ECDH":               {signing.EdDSA, privatePEM(x25519), signing.ErrAlg, "keys of type *ecdh.PrivateKey cannot sign"},
		"RSA of 1024 bits":   {signing.RS256, privatePEM(weakRSA(1024, 65537)), signing.ErrWeakKey, "has 1024 bits, at least 2048"},
		"RSA exponent 3":     {signing.RS256, privatePEM(weakRSA(2048, 3)), signing.ErrWeakKey, "exponent is 3; use 65537"},
		"secret of 31 bytes": {signing.HS256, make([]byte, 31), signing.ErrWeakKey, "has 31 bytes, at least 32"},
		"no secret":          {signing.HS256, nil, signing.ErrWeakKey, "has 0 bytes"},
		"private PEM, HS256": {signing.HS256, privatePEM(ed), signing.ErrKey, "HS256 was given a PEM key"},
		"public PEM, HS256":  {signing.HS256, publicPEM(r.Public()), signing.ErrKey, "a public key is not secret"},
		"certificate, HS256": {signing.HS256, block("CERTIFICATE", make([]byte, 64)), signing.ErrKey, "HS256 was given a PEM key"},
		"public key":         {signing.EdDSA, publicPEM(ed.Public()), signing.ErrKey, `the PEM block is a "PUBLIC KEY", a private key is needed`},
		"two keys":           {signing.EdDSA, append(privatePEM(ed), privatePEM(ed)...), signing.ErrKey, "more than one PEM block"},
		"encrypted":          {signing.EdDSA, block("ENCRYPTED PRIVATE KEY", make([]byte, 64)), signing.ErrKey, "it is encrypted"},
		"encrypted, old":     {signing.RS256, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), signing.ErrKey, "it is encrypted"},
		"not PEM":            {signing.EdDSA, []byte("hunter2"), signing.ErrKey, "not PEM"},
		"empty":              {signing.EdDSA, nil, signing.ErrKey, "not PEM"},
		"cut":                {signing.EdDSA, privatePEM(ed)[:60], signing.ErrKey, "not PEM"},
		"DER of nonsense":    {signing.EdDSA, block("PRIVATE KEY", []byte("nonsense")), signing.ErrKey, "parsing the PRIVATE KEY"},
		"SEC 1 of nonsense":  {signing.ES256, block("EC PRIVATE KEY", []byte("nonsense")), signing.ErrKey, "parsing the EC PRIVATE KEY"},
		"too long":           {signing.HS256, make([]byte, 16<<10+1), signing.ErrKey, "it has 16385 bytes, at most 16384"},
	} {
		key, err := signing.ParseKey(row.alg, row.text)
		if key != nil || !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.message) {
			t.Errorf("%s: got %v, %v, want %v: %s", name, key, err, row.want, row.message)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error contains the key: %v", name, err)
		}
	}
}

// TestThumbprint is RFC 8037 appendix A.3: the key and its RFC 7638 thumbprint.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	seed := []byte{
		0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
		0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
	}
	key, err := signing.ParseKey(signing.EdDSA, privatePEM(ed25519.NewKeyFromSeed(seed)))
	if err != nil || key.ID() != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("got %v, %v", key, err)
	}
}
