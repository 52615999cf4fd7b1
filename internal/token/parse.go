package token

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// maxInputBytes is the longest token that is parsed: four times the usual length, for
	// the longest IDs and the largest RSA keys.
	maxInputBytes = 4 << 10 // 4 KiB
	// maxKeyIDBytes is the longest kid. Ours have 43 bytes.
	maxKeyIDBytes = 64

	typAccess    = "at+jwt"           // RFC 9068
	typAssertion = "wx-assertion+jwt" // of wxgate
	typEvent     = "secevent+jwt"     // RFC 8417
	typPush      = "wx-push+jwt"      // of wxgate
)

// strictBase64 refuses nonzero trailing bits, so that a signature has exactly one
// encoding. The decoder skips line breaks; [findDots] refuses them before.
var strictBase64 = base64.RawURLEncoding.Strict()

// header is the header of wxgate's tokens. It has no other members.
type header struct {
	Alg signing.Alg `json:"alg"`
	Typ string      `json:"typ"`
	Kid string      `json:"kid"`
}

// compact is a token split into its parts. It is not verified yet.
type compact struct {
	header    header
	signed    string // the first two parts, with the dot between
	payload   string
	signature []byte
}

// parseCompact parses a compact JWS (RFC 7515 section 7.1) with the given typ. It checks only
// the alphabet of the payload.
func parseCompact(raw, typ string) (*compact, error) {
	first, second, ok := findDots(raw)
	if !ok {
		return nil, errForm
	}
	c := &compact{signed: raw[:second], payload: raw[first+1 : second]}
	var err error
	if c.signature, err = strictBase64.DecodeString(raw[second+1:]); err != nil {
		return nil, errForm
	}
	if c.header, err = parseHeader(raw[:first]); err != nil {
		return nil, err
	}
	if c.header.Typ != typ {
		return nil, errType // an assertion is signed by the same key: an upstream could log in with it
	}
	if !validKeyID(c.header.Kid) {
		return nil, errKeyID
	}
	return c, nil
}

// findDots finds the two dots of a compact JWS. It refuses empty parts and characters
// that are not base64url: Go's decoder skips line breaks, which would give one token
// many encodings (evading a deny list).
func findDots(raw string) (first, second int, ok bool) {
	first = strings.IndexByte(raw, '.')
	second = strings.LastIndexByte(raw, '.')
	if first <= 0 || second <= first+1 || second == len(raw)-1 {
		return 0, 0, false
	}
	for i := range len(raw) {
		if i != first && i != second && !base64URL[raw[i]] {
			return 0, 0, false
		}
	}
	return first, second, true
}

// parseHeader accepts exactly the three members of [header], each once. It refuses
// crit and b64, which change what the signature covers; jku, jwk, x5u and x5c, with
// which a client brings its own key; and a second "Alg", which a lenient parser reads.
func parseHeader(part string) (header, error) {
	text, err := strictBase64.DecodeString(part)
	if err != nil {
		return header{}, errForm
	}
	var h header
	if json.Unmarshal(text, &h, json.RejectUnknownMembers(true)) != nil {
		return header{}, errHeader
	}
	return h, nil
}

// validKeyID refuses paths, queries and line breaks in a kid, which is a map key and
// appears in messages for operators (log injection).
func validKeyID(kid string) bool {
	if kid == "" || len(kid) > maxKeyIDBytes {
		return false
	}
	for i := range len(kid) {
		if !base64URL[kid[i]] {
			return false
		}
	}
	return true
}

// base64URL is the alphabet of base64url, and of a kid.
var base64URL = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		set[c] = true
	}
	return set
}()
