package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/attack/browsers"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// obtain returns the secrets of the attack user, who logs in unless the target has a
// token. With a cookie, the token is needed for a few attacks only.
func obtain(ctx context.Context, c *wire.Client, t *corpus.Target, echo string) (*corpus.Secrets, error) {
	s := corpus.NewSecrets(t, echo)
	if t.Token == "" && (t.Cookie == "" || t.Code != "" || t.CodeURL != "") {
		if err := login(ctx, c, t, s); err != nil {
			return nil, err
		}
	}
	response, err := c.Send(ctx, wire.H1, &wire.Request{Path: t.KeySet})
	if err == nil && response.Status == http.StatusOK {
		s.ReadKeys(response.Body)
	}
	return s, nil
}

// login exchanges a code as a mini program does.
func login(ctx context.Context, c *wire.Client, t *corpus.Target, s *corpus.Secrets) error {
	code, err := mint(ctx, t)
	if err != nil {
		return err
	}
	response, err := c.Send(ctx, wire.H1, corpus.LoginRequest(t, code))
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	var granted struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Handle  string `json:"session_key"`
	}
	if json.Unmarshal([]byte(response.Body), &granted) != nil || granted.Access == "" {
		return fmt.Errorf("logging in: the response with status %d has no access_token", response.Status)
	}
	s.Token, s.Refresh, s.Handle = granted.Access, granted.Refresh, granted.Handle
	return nil
}

// codeTimeout bounds the request for a login code.
const codeTimeout = 4 * time.Second

// maxCode bounds the response of a code URL.
const maxCode = 1 << 10 // 1 KiB

// codes fetches login codes.
var codes = &http.Client{Timeout: codeTimeout}

// mint returns a new login code.
func mint(ctx context.Context, t *corpus.Target) (string, error) {
	switch {
	case t.CodeURL == "" && t.Code == "":
		return "", fmt.Errorf("%w: no login codes: give --code-url", corpus.ErrNotApplicable)
	case t.CodeURL == "":
		code := t.Code
		t.Code = "" // a code works once
		return code, nil
	}
	ctx, cancel := context.WithTimeout(ctx, codeTimeout)
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

// ticket returns a new ticket for a login of the attack user's browser.
func (r *run) ticket(ctx context.Context) (string, error) {
	if r.secrets.Token == "" {
		return "", fmt.Errorf("%w: no access token, which tickets are for: give --token or --code-url", corpus.ErrNotApplicable)
	}
	response, err := r.client.Send(ctx, wire.H1, browsers.TicketRequest(r.target, r.secrets.Token))
	if err != nil {
		return "", fmt.Errorf("asking for a ticket: %w", err)
	}
	var granted struct {
		Ticket string `json:"ticket"`
	}
	switch {
	case response.Status == http.StatusTooManyRequests:
		return "", errLimited
	case json.Unmarshal([]byte(response.Body), &granted) != nil || granted.Ticket == "":
		return "", fmt.Errorf("%w: no ticket at %s: status %d", corpus.ErrNotApplicable, r.target.Browsers, response.Status)
	}
	return granted.Ticket, nil
}
