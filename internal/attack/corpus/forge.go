package corpus

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
)

// Victim is the user that the attacker impersonates.
const Victim = "attack-victim"

// with returns a copy of p with changed members; nil removes a member.
func (p part) with(changes part) part {
	out := maps.Clone(p)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	return out
}

func (p part) encode() string {
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return b64.EncodeToString(text)
}

// A signer signs the text of a token, which need not be JSON.
type signer func(text string) ([]byte, error)

func (sign signer) token(header, claims string) (string, error) {
	text := header + "." + claims
	signature, err := sign(text)
	if err != nil {
		return "", fmt.Errorf("forging a token: %w", err)
	}
	return text + "." + b64.EncodeToString(signature), nil
}

func unsigned(string) ([]byte, error) { return nil, nil }

func hs256(secret []byte) signer {
	return func(text string) ([]byte, error) {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return mac.Sum(nil), nil
	}
}

func byAttacker(text string) ([]byte, error) { return ed25519.Sign(attacker, []byte(text)), nil }

// byGateway signs with the gateway's key, for well-signed tokens with invalid content.
func (s *Secrets) byGateway() (signer, error) {
	switch key := s.target.Signer.(type) {
	case ed25519.PrivateKey:
		return func(text string) ([]byte, error) { return ed25519.Sign(key, []byte(text)), nil }, nil
	case *ecdsa.PrivateKey:
		return func(text string) ([]byte, error) { return signES256(key, text) }, nil
	case *rsa.PrivateKey:
		return func(text string) ([]byte, error) {
			sum := sha256.Sum256([]byte(text))
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		}, nil
	}
	return nil, fmt.Errorf("%w: needs the gateway's own signing key: give --signing-key", ErrNotApplicable)
}

// A forgery makes a token from the parts of an honest one.
type forgery func(s *Secrets, header, claims part) (string, error)

// forge calls a forgery with the parts of the honest token.
func forge(f forgery) func(*Secrets) (string, error) {
	return func(s *Secrets) (string, error) {
		header, claims, _, err := s.jwt()
		if err != nil {
			return "", err
		}
		return f(s, header, claims)
	}
}

// wellSigned changes the parts of an honest token and signs them with the gateway's key.
func wellSigned(header, claims part) func(*Secrets) (string, error) {
	return forge(func(s *Secrets, h, c part) (string, error) {
		sign, err := s.byGateway()
		if err != nil {
			return "", err
		}
		return sign.token(h.with(header).encode(), c.with(claims).encode())
	})
}

// wellSignedText is like wellSigned, for payloads that a map cannot represent.
func wellSignedText(edit func(claims string) string) func(*Secrets) (string, error) {
	return forge(func(s *Secrets, h, c part) (string, error) {
		sign, err := s.byGateway()
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(c)
		if err != nil {
			return "", fmt.Errorf("forging a token: %w", err)
		}
		return sign.token(h.encode(), b64.EncodeToString([]byte(edit(string(text)))))
	})
}
