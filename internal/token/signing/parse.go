package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// maxKeyBytes bounds what is parsed as a key: an 8192-bit RSA key in PEM has 6.5 KB.
const maxKeyBytes = 16 << 10 // 16 KiB

// ParseKey reads what an operator configured: a PEM private key (PKCS#8, SEC 1
// or PKCS#1), or for HS256 the secret itself. Errors wrap [ErrKey], [ErrAlg] or
// [ErrWeakKey] and never quote the key.
func ParseKey(alg Alg, text []byte) (*Key, error) {
	if _, err := ParseAlg(string(alg)); err != nil {
		return nil, err
	}
	if len(text) > maxKeyBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrKey, len(text), maxKeyBytes)
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
	return newKey(alg, private, private.Public())
}

// parseSecret refuses anything that looks like PEM: with a public key as the
// HMAC secret, everybody who can read the public key can sign tokens (the
// algorithm confusion attack); a private key is not meant as one either.
func parseSecret(text []byte) (*Key, error) {
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("%w: HS256 was given a PEM key as its secret: a public key is known to everybody, "+
			"and whoever knows the secret can sign; give random bytes, or set alg to the key's own", ErrKey)
	}
	secret := bytes.Clone(text)
	return newKey(HS256, secret, secret)
}

// privateBlock finds the one private key in PEM. OpenSSL puts the curve's
// parameters before it, which say nothing that the key does not.
func privateBlock(text []byte) (*pem.Block, error) {
	rest := text
	var found *pem.Block
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: more than one PEM block", ErrKey)
		}
		found = block
	}
	if found == nil {
		return nil, fmt.Errorf("%w: not PEM; give a private key that begins with -----BEGIN", ErrKey)
	}
	if found.Headers["Proc-Type"] != "" || found.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, fmt.Errorf("%w: it is encrypted; give it in clear from a file that only wxgate can read", ErrKey)
	}
	return found, nil
}

func parsePrivate(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: the PEM block is a %q, a private key is needed", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: parsing the %s: %w", ErrKey, block.Type, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: keys of type %T do not sign", ErrAlg, key)
	}
	return signer, nil
}

// Material returns the key in the form in which it is stored. With publicOnly it
// returns what verifying needs: the public half, or the secret of an HS256 key.
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
	switch signer := private.(type) {
	case ed25519.PrivateKey:
		return newKey(alg, signer, signer.Public())
	case *ecdsa.PrivateKey:
		return newKey(alg, signer, signer.Public())
	case *rsa.PrivateKey:
		return newKey(alg, signer, signer.Public())
	default:
		return nil, fmt.Errorf("%w: keys of type %T are not used here", ErrAlg, private)
	}
}
