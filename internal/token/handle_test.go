package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func TestHandle(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	id := auth.NewSessionID(start, auth.User{})
	handle, err := g.SealHandle(id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.OpenHandle(handle); err != nil || got != id {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := g.SealHandle("not an id"); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("sealed an invalid session ID: %v", err)
	}
	other := newGateway(t, func(c *keyring.Config) { c.Box = tokentest.MustBox(t, newSecret) })
	foreign, err := other.SealHandle(id)
	if err != nil {
		t.Fatal(err)
	}
	last := handle[len(handle)-1]
	for name, handle := range map[string]string{
		"empty":                  "",
		"WeChat's own":           "tiihtNczf5v6AKRyjwEUhQ==",
		"cut":                    handle[1:],
		"longer":                 handle + "A",
		"padded":                 handle + "=",
		"line break inside":      handle[:40] + "\n" + handle[41:],
		"changed":                flip(handle, 50),
		"trailing bits":          handle[:len(handle)-1] + string(last+1),
		"of another root secret": foreign,
		"an access token":        g.MustIssue(t, g.User(1)),
		"5 MB":                   strings.Repeat("A", 5<<20),
	} {
		if got, err := g.OpenHandle(handle); !errors.Is(err, auth.ErrSessionStale) || got != "" {
			t.Errorf("%s: got %q, %v, want ErrSessionStale", name, got, err)
		}
	}
}

// TestPrefetchToken opens the token on another machine with the same root secret, and refuses
// everything else.
func TestPrefetchToken(t *testing.T) {
	t.Parallel()
	secret := func(c *keyring.Config) { c.Box = tokentest.MustBox(t, newSecret) }
	g := newGateway(t, secret)
	id := auth.NewSessionID(start, auth.User{})
	token, err := g.SealPrefetch(id)
	if err != nil || !strings.HasPrefix(token, "wxp_") {
		t.Fatal(token, err)
	}
	for _, gateway := range []*gateway{g, newGateway(t, secret)} {
		if got, err := gateway.OpenPrefetch(token); err != nil || got != id {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := g.SealPrefetch("not an id"); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("sealed an invalid session ID: %v", err)
	}
	if _, err := g.OpenHandle(strings.TrimPrefix(token, "wxp_")); !errors.Is(err, auth.ErrSessionStale) {
		t.Errorf("accepted as a handle: %v", err)
	}
	handle, err := g.SealHandle(id)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := newGateway(t, nil).SealPrefetch(id)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"empty": "", "the prefix": "wxp_", "without it": token[4:], "cut": token[:len(token)-1], "longer": token + "A", "changed": flip(token, 50),
		"a handle": handle, "a handle with the prefix": "wxp_" + handle, "of another root secret": foreign, "an access token": g.MustIssue(t, g.User(1)),
	} {
		if got, err := g.OpenPrefetch(token); !errors.Is(err, auth.ErrInvalidToken) || got != "" {
			t.Errorf("%s: got %q, %v, want ErrInvalidToken", name, got, err)
		}
	}
}

// flip changes one character of base64url to another.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == 'A' {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}
