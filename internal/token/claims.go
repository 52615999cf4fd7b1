package token

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// maxUnixTime is the last second of the year 9999, which every library can represent.
const maxUnixTime = 253402300799

// claims are the claims of an access token (RFC 9068) or an assertion.
type claims struct {
	Issuer    string         `json:"iss"`
	Subject   auth.OpenID    `json:"sub"`
	Audience  audiences      `json:"aud"`
	Expires   int64          `json:"exp"`
	IssuedAt  int64          `json:"iat"`
	NotBefore int64          `json:"nbf,omitzero"` // not in assertions
	ID        string         `json:"jti"`
	ClientID  auth.AppID     `json:"client_id"`
	Session   auth.SessionID `json:"sid,omitzero"` // empty in the assertion of a prefetch with a code

	UnionID       auth.UnionID `json:"unionid,omitzero"`
	PhoneVerified bool         `json:"phone_number_verified,omitzero"`
	// Phone is the sealed phone number, and Ranked the sealed risk and phone number of an
	// identity whose risk is known. Only the gateway can open them.
	Phone  string `json:"phn,omitzero"`
	Ranked string `json:"rnk,omitzero"`
	// Dev is true if the session was minted with dev_mode: no platform vouched for the user.
	Dev bool `json:"dev,omitzero"`

	// Unknown has claims that a newer wxgate may add. Their values are ignored, but
	// their names are checked.
	Unknown map[string]jsontext.Value `json:",embed"`
}

// claimNames are the names of the members of [claims], as [foldName] returns them.
var claimNames = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "iat": true, "nbf": true, "jti": true,
	"clientid": true, "sid": true, "unionid": true, "phonenumberverified": true, "phn": true,
	"rnk": true, "dev": true,
}

// parseClaims parses the payload of a token whose signature was verified. It refuses
// duplicate members, wrong types, invalid UTF-8 and numbers that are not integers.
func parseClaims(payload []byte) (*claims, error) {
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return nil, errClaims
	}
	for name := range c.Unknown {
		// A parser that ignores case would read {"sub":"me","SUB":"admin"} as the
		// admin's token.
		if claimNames[foldName(name)] {
			return nil, errVariant
		}
	}
	return &c, c.check()
}

// check refuses claims that are missing or out of range. Claims that must have a certain
// value are compared elsewhere.
func (c *claims) check() error {
	for _, t := range [...]int64{c.Expires, c.IssuedAt, c.NotBefore} {
		if t <= 0 || t > maxUnixTime {
			return errMissing
		}
	}
	if !auth.ValidID(c.Subject) || !auth.ValidID(c.ClientID) || !auth.ValidID(c.ID) {
		return errMissing
	}
	if c.UnionID != "" && !auth.ValidID(c.UnionID) {
		return errMissing
	}
	if _, err := auth.ParseSessionID(string(c.Session)); err != nil {
		return errMissing
	}
	if c.Issuer == "" || len(c.Audience) == 0 || c.Phone != "" && c.Ranked != "" {
		return errMissing
	}
	if c.Ranked == "" && c.PhoneVerified != (c.Phone != "") { // Ranked must be opened first
		return errMissing
	}
	return nil
}

// foldName returns a name as lenient parsers compare it: they ignore case, in all of
// Unicode (U+017F is a kind of s), and some ignore - and _ too.
func foldName(name string) string {
	name = strings.NewReplacer("-", "", "_", "", "\u017f", "s", "\u212a", "k").Replace(name)
	return strings.ToLower(name)
}

// audiences are encoded as a string if there is one, as most libraries expect, and
// otherwise as an array (RFC 7519 section 4.1.3).
type audiences []string

func (a audiences) MarshalJSONTo(out *jsontext.Encoder) error {
	if len(a) == 1 {
		return out.WriteToken(jsontext.String(a[0]))
	}
	return json.MarshalEncode(out, []string(a))
}

func (a *audiences) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if in.PeekKind() == '"' {
		var one string
		if err := json.UnmarshalDecode(in, &one); err != nil {
			return err
		}
		*a = audiences{one}
		return nil
	}
	return json.UnmarshalDecode(in, (*[]string)(a))
}
