package corpus

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Secrets are the credentials of the attack user, and the public keys.
type Secrets struct {
	Token   string // access token
	Refresh string // refresh token; "" unless the user logged in
	Handle  string // session handle; "" unless the user logged in
	// Assertion is the JWT that the gateway signed for its upstream, if any.
	Assertion string
	Keys      []publicKey

	target *Target
	echo   string // host:port
}

// NewSecrets returns the secrets of a target before a login. echo is the host and port
// of the echo.
func NewSecrets(t *Target, echo string) *Secrets {
	return &Secrets{Token: t.Token, target: t, echo: echo}
}

// Cookie returns the value of the attack user's session cookie; "" for none.
func (s *Secrets) Cookie() string {
	_, value := s.target.SessionCookie()
	return value
}

// ReadKeys reads the gateway's key set.
func (s *Secrets) ReadKeys(set string) { s.Keys = parseKeys(set) }

// part is a JSON object of a token.
type part map[string]any

// jwt splits the token and decodes its first two parts.
func (s *Secrets) jwt() (header, claims part, parts []string, err error) {
	parts = strings.Split(s.Token, ".")
	if len(parts) != 3 {
		return nil, nil, nil, fmt.Errorf("%w: the access token is not a JWT", ErrNotApplicable)
	}
	for i, into := range []*part{&header, &claims} {
		text, err := b64.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return nil, nil, nil, fmt.Errorf("%w: the access token is not a JWT", ErrNotApplicable)
		}
	}
	return header, claims, parts, nil
}

// LoginRequest returns the request that exchanges a code.
func LoginRequest(t *Target, code string) *wire.Request {
	return &wire.Request{Method: "POST", Path: t.Login, Header: []wire.Field{jsonBody}, Body: `{"code":"` + code + `"}`}
}

var jsonBody = field("Content-Type", "application/json")

// NoteAssertion stores the JWT that the gateway signs for its upstream, if it signs: a JWT
// in one of its identity headers.
func (s *Secrets) NoteAssertion(seen *wire.Seen) {
	for _, line := range seen.Lines {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); s.target.readsAsIdentity(name) && strings.Count(value, ".") == 2 {
			s.Assertion = value
		}
	}
}
