package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Secrets are what the attack user honestly has, and what is public.
type Secrets struct {
	Token   string // access token
	Refresh string // refresh token; "" unless the user logged in
	Handle  string // session handle; "" unless the user logged in
	// Assertion is what the gateway signed for its upstream, if it does.
	Assertion string
	Keys      []publicKey

	target *Target
	echo   string // host:port
}

// part is a JSON object of a token.
type part map[string]any

// jwt cuts the token in three and reads the first two.
func (s *Secrets) jwt() (header, claims part, parts []string, err error) {
	parts = strings.Split(s.Token, ".")
	if len(parts) != 3 {
		return nil, nil, nil, fmt.Errorf("%w: the access token is no JWT", errNotApplicable)
	}
	for i, into := range []*part{&header, &claims} {
		text, err := b64.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return nil, nil, nil, fmt.Errorf("%w: the access token is no JWT", errNotApplicable)
		}
	}
	return header, claims, parts, nil
}

// obtain gets what the target's flags promise: a token as it is, or by logging in.
func (c *client) obtain(ctx context.Context, t *Target, echo string) (*Secrets, error) {
	s := &Secrets{Token: t.Token, target: t, echo: echo}
	if t.Token == "" {
		if err := c.login(ctx, s); err != nil {
			return nil, err
		}
	}
	answer, err := c.send(ctx, H1, &Request{Path: t.KeySet})
	if err == nil && answer.Status == http.StatusOK {
		s.Keys = parseKeys(answer.Body)
	}
	return s, nil
}

// login spends a code as a mini program does.
func (c *client) login(ctx context.Context, s *Secrets) error {
	code, err := mint(ctx, s.target)
	if err != nil {
		return err
	}
	answer, err := c.send(ctx, H1, loginRequest(s.target, code))
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	var granted struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Handle  string `json:"session_key"`
	}
	if json.Unmarshal([]byte(answer.Body), &granted) != nil || granted.Access == "" {
		return fmt.Errorf("logging in: the answer, of status %d, holds no access_token", answer.Status)
	}
	s.Token, s.Refresh, s.Handle = granted.Access, granted.Refresh, granted.Handle
	return nil
}

func loginRequest(t *Target, code string) *Request {
	return &Request{Method: "POST", Path: t.Login, Header: []Field{jsonBody}, Body: `{"code":"` + code + `"}`}
}

var jsonBody = Field{"Content-Type", "application/json"}

// maxCode bounds the answer of a code URL.
const maxCode = 1 << 10 // 1 KiB

// codes fetches login codes; each request has a deadline of its own too.
var codes = &http.Client{Timeout: exchangeTimeout}

// mint gets a fresh login code.
func mint(ctx context.Context, t *Target) (string, error) {
	switch {
	case t.CodeURL == "" && t.Code == "":
		return "", fmt.Errorf("%w: no login codes: give --code-url", errNotApplicable)
	case t.CodeURL == "":
		code := t.Code
		t.Code = "" // a code works once
		return code, nil
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.CodeURL, nil)
	if err != nil {
		return "", fmt.Errorf("asking for a login code: %w", err)
	}
	response, err := codes.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking for a login code: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxCode))
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for a login code: status %d: %w", response.StatusCode, err)
	}
	return string(bytes.TrimSpace(body)), nil
}

// noteAssertion keeps what the gateway signs for its upstream, if it signs: a
// JWT under one of its own names.
func (s *Secrets) noteAssertion(seen *Seen) {
	for _, line := range seen.Lines {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); s.target.readsAsIdentity(name) && strings.Count(value, ".") == 2 {
			s.Assertion = value
		}
	}
}
