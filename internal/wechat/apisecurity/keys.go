package apisecurity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// aesKeyBytes is the size of an AES-256 key.
	aesKeyBytes = 32
	// minRSABits is the size of the keys that WeChat's console makes. A shorter one can be
	// factored.
	minRSABits = 2048
	// maxSerialBytes bounds the number of a key; WeChat's have 32 characters.
	maxSerialBytes = 64
)

// Key is a key and the number that WeChat's console shows next to it (密钥编号, 证书编号), which is not
// the serial number inside a certificate.
type Key struct {
	Serial string
	// Value is base64 of an AES-256 key, or an RSA key or certificate in PEM. Errors never
	// contain it.
	Value string
}

func (k Key) checkSerial() error {
	if len(k.Serial) == 0 || len(k.Serial) > maxSerialBytes || strings.Trim(k.Serial, serialCharacters) != "" {
		return fmt.Errorf("serial %q: expected the number that WeChat's console shows next to the key: letters and digits", k.Serial)
	}
	return nil
}

const serialCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// aead parses a symmetric key.
func (k Key) aead() (cipher.AEAD, error) {
	if err := k.checkSerial(); err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(k.Value))
	if err != nil || len(raw) != aesKeyBytes {
		return nil, errors.New("the key is not base64 of an AES-256 key, 32 bytes; SM4 is not supported")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// private parses an RSA private key in PEM, PKCS #1 or PKCS #8.
func (k Key) private() (*rsa.PrivateKey, error) {
	if err := k.checkSerial(); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(k.Value))
	if block == nil {
		return nil, errors.New("the key is not in PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		var ok bool
		if key, ok = parsed.(*rsa.PrivateKey); !ok {
			return nil, errors.New("the key is not an RSA private key, PKCS #1 or PKCS #8, without a password; SM2 is not supported")
		}
	}
	return key, checkSize(&key.PublicKey)
}

// verifier is a key that WeChat signs responses with.
type verifier struct {
	key     *rsa.PublicKey
	expires time.Time // the zero time for a bare key
}

// public parses a certificate or an RSA public key in PEM. The issuer of a certificate is
// not checked: the operator downloaded the certificate from WeChat's console.
func (k Key) public() (verifier, error) {
	if err := k.checkSerial(); err != nil {
		return verifier{}, err
	}
	block, _ := pem.Decode([]byte(k.Value))
	if block == nil {
		return verifier{}, errors.New("the certificate is not in PEM")
	}
	var v verifier
	var parsed any
	if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
		parsed, v.expires = certificate.PublicKey, certificate.NotAfter
	} else if parsed, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		parsed, _ = x509.ParsePKCS1PublicKey(block.Bytes)
	}
	var ok bool
	if v.key, ok = parsed.(*rsa.PublicKey); !ok || v.key == nil {
		return verifier{}, errors.New("neither a certificate nor an RSA public key; SM2 is not supported")
	}
	return v, checkSize(v.key)
}

func checkSize(key *rsa.PublicKey) error {
	if key.N.BitLen() < minRSABits {
		return fmt.Errorf("the RSA key has %d bits; expected at least %d", key.N.BitLen(), minRSABits)
	}
	return nil
}
