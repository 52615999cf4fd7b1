package token

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// maxInputBytes is the longest string that is looked at: four times what we
	// issue, for ids of the greatest length and RSA keys of the largest size.
	maxInputBytes = 4 << 10 // 4 KiB
	// maxKeyIDBytes is the longest kid: ours have 43.
	maxKeyIDBytes = 64

	typAccess    = "at+jwt"           // RFC 9068
	typAssertion = "wx-assertion+jwt" // ours
)

// strictBase64 refuses unused trailing bits, so that one signature has one
// spelling. Line breaks, which the decoder skips, are refused before.
var strictBase64 = base64.RawURLEncoding.Strict()

// header is all that the first part of our tokens says.
type header struct {
	Alg signing.Alg `json:"alg"`
	Typ string      `json:"typ"`
	Kid string      `json:"kid"`
}

// compact is a token cut in three, before anything of it is believed.
type compact struct {
	header    header
	signed    string // the first two parts, with the dot between
	payload   string
	signature []byte
}

// parseCompact reads the form of a compact JWS (RFC 7515 section 7.1) that is of
// kind typ. It looks at the payload's alphabet and no further.
func parseCompact(raw, typ string) (*compact, error) {
	if len(raw) > maxInputBytes {
		return nil, errTooLong // before any work, or a long string buys work
	}
	first, second, ok := dots(raw)
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
		return nil, errType // or an assertion, signed by the same key, would log its upstream in
	}
	if !validKeyID(c.header.Kid) {
		return nil, errKeyID
	}
	return c, nil
}

// dots finds the two dots of a compact JWS whose three parts are base64url and
// not empty. Anything else, were it skipped as Go's decoder skips line breaks,
// would give one token many spellings.
func dots(raw string) (first, second int, ok bool) {
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

// parseHeader accepts exactly the three members of [header], each once. So crit
// and b64, which change what the signature covers, jku, jwk, x5u and x5c, which
// bring a key along, and a second "Alg" for a lenient reader are all refused.
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

// validKeyID keeps paths, queries and line breaks away from where a kid goes: a
// map's key and, for operators, a message.
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
