// Package apisecurity is WeChat's side of encrypted and signed API calls (服务端 API
// 签名加密): it decrypts and verifies requests, and encrypts and signs responses. It is
// written from WeChat's documentation.
//
// https://developers.weixin.qq.com/miniprogram/dev/server/getting_started/api_signature
package apisecurity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// ErrBadKeys means that keys cannot be used.
var ErrBadKeys = errors.New("bad API security keys")

const (
	symmetricBytes   = 32
	rsaBits          = 2048
	serialBytes      = 16
	certificateYears = 5
)

// Key is a key and its number in the console.
type Key struct {
	Serial string `json:"serial"`
	Value  string `json:"value"`
}

// Keys are the keys of one mini program.
type Keys struct {
	// Encrypt is the symmetric key: base64 of 32 bytes.
	Encrypt Key `json:"encrypt"`
	// Sign is the mini program's RSA private key in PEM. WeChat has the public half only.
	Sign Key `json:"sign"`
	// Verify is WeChat's RSA private key in PEM, with the number of its certificate.
	Verify Key `json:"verify"`
}

// Generate makes new keys, as the console does.
func Generate() (Keys, error) {
	symmetric := make([]byte, symmetricBytes)
	_, _ = rand.Read(symmetric) // never fails
	keys := Keys{Encrypt: Key{newSerial(), base64.StdEncoding.EncodeToString(symmetric)}}
	for _, into := range []*Key{&keys.Sign, &keys.Verify} {
		private, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return Keys{}, fmt.Errorf("making a key: %w", err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
		*into = Key{newSerial(), string(text)}
	}
	return keys, nil
}

func newSerial() string {
	raw := make([]byte, serialBytes)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// Console is what the mini program's operator gets from the console: the options of the
// same names.
type Console struct {
	Encrypt Key   `json:"encrypt"`
	Sign    Key   `json:"sign"`
	Verify  []Key `json:"verify"` // certificates in PEM; the newest first
}

// signer is a key that WeChat signs with.
type signer struct {
	serial      string
	key         *rsa.PrivateKey
	certificate string
}

// App is the API security of one mini program.
type App struct {
	id      string
	aead    cipher.AEAD
	keys    Keys
	public  *rsa.PublicKey
	signers []signer // the current one, and behind it the one that it replaces
}

// New reads keys. The error is [ErrBadKeys].
func New(id string, keys Keys, now time.Time) (*App, error) {
	symmetric, err := base64.StdEncoding.DecodeString(keys.Encrypt.Value)
	if err != nil || len(symmetric) != symmetricBytes {
		return nil, fmt.Errorf("%w: encrypt is not base64 of %d bytes", ErrBadKeys, symmetricBytes)
	}
	block, err := aes.NewCipher(symmetric)
	if err != nil {
		return nil, fmt.Errorf("%w: encrypt: %w", ErrBadKeys, err)
	}
	a := &App{id: id, keys: keys}
	if a.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("%w: encrypt: %w", ErrBadKeys, err)
	}
	private, err := parse(keys.Sign)
	if err != nil {
		return nil, fmt.Errorf("%w: sign: %w", ErrBadKeys, err)
	}
	a.public = &private.PublicKey
	current, err := newSigner(keys.Verify, now)
	if err != nil {
		return nil, fmt.Errorf("%w: verify: %w", ErrBadKeys, err)
	}
	a.signers = []signer{current}
	for _, key := range []Key{keys.Encrypt, keys.Sign, keys.Verify} {
		if key.Serial == "" {
			return nil, fmt.Errorf("%w: a serial is missing", ErrBadKeys)
		}
	}
	return a, nil
}

func parse(key Key) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(key.Value))
	if block == nil {
		return nil, errors.New("not in PEM")
	}
	if private, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return private, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("not an RSA private key")
	}
	return private, nil
}

// newSigner makes the certificate of a key.
func newSigner(key Key, now time.Time) (signer, error) {
	private, err := parse(key)
	if err != nil {
		return signer{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), // WeChat's number of it is another
		Subject:      pkix.Name{CommonName: "wxgate sim"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(certificateYears, 0, 0),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return signer{}, fmt.Errorf("making the certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return signer{key.Serial, private, string(text)}, nil
}

// Console returns what the console shows.
func (a *App) Console() Console {
	shown := Console{Encrypt: a.keys.Encrypt, Sign: a.keys.Sign}
	for _, s := range a.signers {
		shown.Verify = append(shown.Verify, Key{s.serial, s.certificate})
	}
	return shown
}

// Change begins the change of WeChat's certificate, or ends it: while it lasts, responses
// are signed with both keys. It returns the App that has the change.
func (a *App) Change(next Key, now time.Time) (*App, error) {
	changed := *a
	if len(a.signers) > 1 {
		changed.signers = a.signers[:1]
		return &changed, nil
	}
	newer, err := newSigner(next, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadKeys, err)
	}
	changed.signers = []signer{newer, a.signers[0]}
	return &changed, nil
}
