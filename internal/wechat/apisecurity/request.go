package apisecurity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// nonceBytes is the size of the random value in a request; WeChat recommends 16 to 32.
	nonceBytes = 24
	// saltBytes is the salt of a signature, which WeChat's documentation sets.
	saltBytes = 32
)

// The headers of signed requests and responses, as net/http spells them.
const (
	headerAppID     = "Wechatmp-Appid"
	headerTimestamp = "Wechatmp-Timestamp"
	headerSignature = "Wechatmp-Signature"
)

// Sealed is an encrypted and signed request: always a POST.
type Sealed struct {
	Body   []byte
	Header http.Header
}

// Seal encrypts and signs a request: the query without its access_token, which stays in the
// URL, and the body, a JSON object or empty. target is the URL of the call; its query is
// ignored. The error is [ErrRequest] if a parameter occurs twice, has a name that is reserved
// for the encryption, or is not JSON.
func (s *Security) Seal(target *url.URL, query url.Values, body []byte) (Sealed, error) {
	nonce, iv := make([]byte, nonceBytes), make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	_, _ = rand.Read(iv)
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	plain, err := s.parameters(query, body, stamp, base64.RawStdEncoding.EncodeToString(nonce))
	if err != nil {
		return Sealed{}, err
	}
	where := address(target)
	sealed := s.encrypt(where, stamp, iv, plain)
	digest := sha256.Sum256(s.signed(where, stamp, sealed))
	mark, err := rsa.SignPSS(rand.Reader, s.sign, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: saltBytes})
	if err != nil {
		return Sealed{}, fmt.Errorf("signing: %w", err)
	}
	return Sealed{Body: sealed, Header: http.Header{
		headerAppID:     {s.appID},
		headerTimestamp: {stamp},
		headerSignature: {base64.StdEncoding.EncodeToString(mark)},
		"Content-Type":  {"application/json"},
	}}, nil
}

// parameters returns the data to encrypt: a JSON object with all parameters of the call.
func (s *Security) parameters(query url.Values, body []byte, stamp, nonce string) ([]byte, error) {
	var all object
	all.add(memberNonce, appendString(nil, nonce))
	all.add(memberAppID, appendString(nil, s.appID))
	all.add(memberTimestamp, []byte(stamp))
	taken := map[string]struct{}{memberNonce: {}, memberAppID: {}, memberTimestamp: {}, "access_token": {}}
	add := func(name string, value jsontext.Value) error {
		if _, ok := taken[name]; ok {
			return fmt.Errorf("%w: parameter %q is reserved or occurs twice", ErrRequest, name)
		}
		taken[name] = struct{}{}
		all.add(name, value)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if name == "access_token" {
			continue
		}
		if len(query[name]) != 1 {
			return nil, fmt.Errorf("%w: parameter %q is reserved or occurs twice", ErrRequest, name)
		}
		if err := add(name, appendString(nil, query[name][0])); err != nil {
			return nil, err
		}
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := eachMember(body, add); err != nil {
			return nil, fmt.Errorf("%w: the body must be one JSON object without duplicate or reserved names", ErrRequest)
		}
	}
	return all.close(), nil
}

// encrypt returns the body of a request.
func (s *Security) encrypt(where, stamp string, iv, plain []byte) []byte {
	sealed := s.aead.Seal(nil, iv, plain, s.additionalData(where, stamp))
	split := len(sealed) - s.aead.Overhead()
	var body object
	for _, member := range []struct {
		name  string
		value []byte
	}{{"iv", iv}, {"data", sealed[:split]}, {"authtag", sealed[split:]}} {
		body.add(member.name, appendString(nil, base64.StdEncoding.EncodeToString(member.value)))
	}
	return body.close()
}
