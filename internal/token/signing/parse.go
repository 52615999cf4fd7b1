package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// maxKeyBytes limits the size of a key: an 8192-bit RSA key in PEM has 6.5 KB.
const maxKeyBytes = 16384

// ParseKey parses a configured key: a PEM private key (PKCS#8, SEC 1 or PKCS#1), or
// for HS256 the secret itself. Errors wrap [ErrKey], [ErrAlg] or [ErrWeakKey] and
// never quote the key.
func ParseKey(alg Alg, text []byte) (*Key, error) {
	if _, err := ParseAlg(string(alg)); err != nil {
		return nil, err
	}
	if len(text) > maxKeyBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrKey, len(text), maxKeyBytes)
	}
	if alg == HS256 {
		return parseSecret(text)
	}
	block, err := privateBlock(text)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivate(block)
	if err != nil {
		return nil, err
	}
	return newSigner(alg, private)
}

// parseSecret refuses PEM. If a public key were the HMAC secret, every client that
// has the public key could sign tokens (algorithm confusion). A private key isn't
// meant as a secret either.
func parseSecret(text []byte) (*Key, error) {
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("%w: HS256 was given a PEM key as its secret: a public key is not secret, "+
			"and every client that knows the secret can sign; set random bytes, or set alg to the key's algorithm", ErrKey)
	}
	secret := bytes.Clone(text)
	return newKey(HS256, secret, secret)
}

// privateBlock finds the single private key in PEM text. It skips the curve's parameters,
// which OpenSSL writes before a key and which the key repeats.
func privateBlock(text []byte) (*pem.Block, error) {
	var private *pem.Block
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if private != nil {
			return nil, fmt.Errorf("%w: more than one PEM block", ErrKey)
		}
		private = block
	}
	if private == nil {
		return nil, fmt.Errorf("%w: not PEM; a private key that begins with -----BEGIN is required", ErrKey)
	}
	if private.Headers["Proc-Type"] != "" || private.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, fmt.Errorf("%w: it is encrypted; store it unencrypted in a file that only wxgate can read", ErrKey)
	}
	return private, nil
}

func parsePrivate(block *pem.Block) (private any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: the PEM block is a %q, a private key is needed", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: parsing the %s: %w", ErrKey, block.Type, err)
	}
	return private, nil
}

// newSigner returns the [Key] of a private key.
func newSigner(alg Alg, private any) (*Key, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: keys of type %T cannot sign", ErrAlg, private)
	}
	return newKey(alg, signer, signer.Public())
}

// Material returns the key in its stored form. With publicOnly it returns only what is needed
// to verify: the public half, or the secret of an HS256 key.
func (k *Key) Material(publicOnly bool) ([]byte, error) {
	if secret, ok := k.public.([]byte); ok {
		return secret, nil
	}
	if publicOnly {
		return x509.MarshalPKIXPublicKey(k.public)
	}
	return x509.MarshalPKCS8PrivateKey(k.private)
}

// FromMaterial is the inverse of [Key.Material]. A key that was stored with
// publicOnly can verify but not sign, unless it is an HS256 secret.
func FromMaterial(alg Alg, material []byte, publicOnly bool) (*Key, error) {
	if alg == HS256 {
		return newKey(alg, material, material)
	}
	if publicOnly {
		public, err := x509.ParsePKIXPublicKey(material)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		return newKey(alg, nil, public)
	}
	private, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return newSigner(alg, private)
}
