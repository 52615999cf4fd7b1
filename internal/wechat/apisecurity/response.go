package apisecurity

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Window is how far the timestamp of a response may be from the gateway's clock. It stops an
// attacker who replays a recorded response later. WeChat's examples use the same limit for old
// timestamps.
const Window = 300 * time.Second

// The headers that only responses have. During a change of certificates WeChat signs with both
// certificates; the deprecated headers are for the certificate that expires.
const (
	headerSerial              = "Wechatmp-Serial"
	headerSerialDeprecated    = "Wechatmp-Serial-Deprecated"
	headerSignatureDeprecated = "Wechatmp-Signature-Deprecated"
)

// Opened is a response that passed the checks.
type Opened struct {
	// Body is the plain response, a JSON object. If Outcome is [PlainError], it has only a
	// non-zero errcode and an errmsg, which are not authenticated.
	Body    []byte
	Outcome Outcome // Verified, Deprecated or PlainError
	Serial  string  // of the key that verified it
}

// envelope is the body of an encrypted response.
type envelope struct{ iv, data, tag []byte }

// Open verifies and decrypts the response to the call of a URL. It returns [ErrRefused] for any
// response that is not authenticated, except a plain error.
func (s *Security) Open(target *url.URL, header http.Header, body []byte) (Opened, error) {
	sealed, ok := s.parseEnvelope(body)
	if !ok {
		return openPlain(body)
	}
	stamp, err := s.checkHeader(header)
	if err != nil {
		return Opened{}, err
	}
	where := address(target)
	opened, err := s.verifySignature(header, s.signed(where, stamp, body))
	if err != nil {
		return Opened{}, err
	}
	plain, err := s.aead.Open(nil, sealed.iv, append(sealed.data, sealed.tag...), s.additionalData(where, stamp))
	if err != nil {
		return Opened{}, ErrDecrypt
	}
	if opened.Body, err = s.strip(plain, stamp); err != nil {
		return Opened{}, err
	}
	return opened, nil
}

// parseEnvelope returns false for a body that is not encrypted.
func (s *Security) parseEnvelope(body []byte) (sealed envelope, ok bool) {
	fields := map[string]*[]byte{"iv": &sealed.iv, "data": &sealed.data, "authtag": &sealed.tag}
	err := eachMember(body, func(name string, value jsontext.Value) error {
		if into, known := fields[name]; known {
			return json.Unmarshal(value, into) // from base64
		}
		return nil
	})
	return sealed, err == nil && len(sealed.iv) == s.aead.NonceSize() && len(sealed.data) > 0 && len(sealed.tag) == s.aead.Overhead()
}

// openPlain reads a response that is not encrypted. Only an error may be plain: WeChat returns
// a plain error when it cannot read the request. Members other than the code and its message
// are dropped, so that a service that ignores the code does not read a forged value.
func openPlain(body []byte) (Opened, error) {
	var status struct {
		Code    jsontext.Value `json:"errcode"` // a number, which WeChat's samples also show as a string
		Message string         `json:"errmsg"`
	}
	if err := json.Unmarshal(body, &status, jsontext.AllowInvalidUTF8(true)); err != nil {
		return Opened{}, ErrNotEncrypted
	}
	code, err := strconv.ParseInt(string(bytes.Trim(status.Code, `"`)), 10, 32)
	if err != nil || code == 0 {
		return Opened{}, ErrNotEncrypted
	}
	var plain object
	plain.add("errcode", strconv.AppendInt(nil, code, 10))
	plain.add("errmsg", appendString(nil, status.Message))
	return Opened{Body: plain.close(), Outcome: PlainError}, nil
}

// one returns the value of a header that must occur exactly once.
func one(header http.Header, name string) (string, bool) {
	values := header[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// checkHeader checks for which app a response was made, and when.
func (s *Security) checkHeader(header http.Header) (stamp string, err error) {
	appID, named := one(header, headerAppID)
	stamp, timed := one(header, headerTimestamp)
	switch {
	case !named || !timed:
		return "", ErrUnsigned
	case appID != s.appID:
		return "", ErrAppID
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || s.now().Sub(time.Unix(seconds, 0)).Abs() > Window {
		return "", ErrTimestamp
	}
	return stamp, nil
}

// verifySignature checks the signature with a configured key. The serial in the response
// selects the key; a key that is not configured is never used.
func (s *Security) verifySignature(header http.Header, message []byte) (Opened, error) {
	for _, by := range []struct {
		serial, signature string
		outcome           Outcome
	}{
		{headerSerial, headerSignature, Verified},
		{headerSerialDeprecated, headerSignatureDeprecated, Deprecated},
	} {
		number, ok := one(header, by.serial)
		if !ok {
			if by.outcome == Verified {
				return Opened{}, ErrUnsigned
			}
			break
		}
		v, known := s.verify[number]
		if !known {
			continue
		}
		text, ok := one(header, by.signature)
		if !ok {
			return Opened{}, ErrUnsigned
		}
		mark, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return Opened{}, ErrSignature
		}
		digest := sha256.Sum256(message)
		if err := rsa.VerifyPSS(v.key, crypto.SHA256, digest[:], mark, &rsa.PSSOptions{SaltLength: saltBytes}); err != nil {
			return Opened{}, ErrSignature
		}
		return Opened{Outcome: by.outcome, Serial: number}, nil
	}
	return Opened{}, ErrSerial
}

// strip compares the added members with the headers, and removes them.
func (s *Security) strip(plain []byte, stamp string) ([]byte, error) {
	var rest object
	var appID, seconds string
	err := eachMember(plain, func(name string, value jsontext.Value) error {
		switch name {
		case memberNonce:
		case memberAppID:
			return json.Unmarshal(value, &appID)
		case memberTimestamp:
			seconds = string(value)
		default:
			rest.add(name, value)
		}
		return nil
	})
	if err != nil || appID != s.appID || seconds != stamp {
		return nil, ErrMismatch
	}
	return rest.close(), nil
}
