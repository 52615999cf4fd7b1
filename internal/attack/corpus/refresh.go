package corpus

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// refreshAttacks: a session ID is not secret. Upstreams and logs have it, and so does the
// access token. If a gateway treats a made-up refresh token with that ID as one that was
// used twice, anyone who knows the ID can end the user's session.
func refreshAttacks(t *Target) []Attack {
	const (
		secretBytes = 32
		tagBytes    = 32
	)
	var out []Attack
	for id, random := range map[string]int{"untagged": secretBytes, "tagged": secretBytes + tagBytes} {
		after := get(t.Guarded + "refreshed")
		out = append(out, Attack{
			ID: "login/forged-refresh-" + id, Mechanism: loginMechanism, Advisories: []string{"RFC 9700 section 4.14.2"}, Needs: []Control{refreshes},
			Forge: forgedRefresh(random), Request: refreshRequest(t, "{forged}"), After: &after, Judge: endedSession,
		})
	}
	return out
}

func refreshRequest(t *Target, token string) wire.Request {
	return wire.Request{Method: "POST", Path: t.Refresh, Header: []wire.Field{jsonBody}, Body: `{"refresh_token":"` + token + `"}`}
}

// forgedRefresh makes a token of the session ID and random bytes.
func forgedRefresh(random int) func(*Secrets) (string, error) {
	return forge(func(_ *Secrets, _, claims part) (string, error) {
		id, _ := claims["sid"].(string)
		raw, err := b64.DecodeString(id)
		if err != nil || id == "" {
			return "", fmt.Errorf("%w: the access token has no session ID", ErrNotApplicable)
		}
		secret := make([]byte, random)
		_, _ = rand.Read(secret) // never fails: crypto/rand.Read
		return "wxr_" + b64.EncodeToString(bytes.Join([][]byte{raw, secret}, nil)), nil
	})
}

// endedSession: the honest user is no longer admitted.
func endedSession(e *Evidence) string {
	switch {
	case e.Response != nil && e.Response.Status == http.StatusOK && strings.Contains(e.Response.Body, "access_token"):
		return "a made-up refresh token was exchanged for an access token"
	case e.After != nil && e.After.Status == http.StatusUnauthorized:
		return "a made-up refresh token ended the session that it names"
	}
	return ""
}

// refusesRefresh checks that a gateway has refresh tokens.
func refusesRefresh(e *Evidence) error {
	if e.Response == nil || e.Response.Status == http.StatusNotFound || !strings.Contains(e.Response.Get("Content-Type"), "json") {
		return fmt.Errorf("%w: nothing is refreshed at %s", ErrNotApplicable, e.Target.Refresh)
	}
	return nil
}
