package attack

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
)

// refreshAttacks: a session's ID is no secret. Every upstream and log has it, and the
// access token tells it. A gateway that takes a made-up refresh token with that ID for
// one that was used twice ends the session of any user for anyone who reads the ID.
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

func refreshRequest(t *Target, token string) Request {
	return Request{Method: "POST", Path: t.Refresh, Header: []Field{jsonBody}, Body: `{"refresh_token":"` + token + `"}`}
}

// forgedRefresh makes a token of the session's ID and random bytes.
func forgedRefresh(random int) func(*Secrets) (string, error) {
	return forge(func(_ *Secrets, _, claims part) (string, error) {
		id, _ := claims["sid"].(string)
		raw, err := b64.DecodeString(id)
		if err != nil || id == "" {
			return "", fmt.Errorf("%w: the access token has no session ID", errNotApplicable)
		}
		secret := make([]byte, random)
		_, _ = rand.Read(secret) // never fails: crypto/rand.Read
		return "wxr_" + b64.EncodeToString(bytes.Join([][]byte{raw, secret}, nil)), nil
	})
}

// endedSession: the honest user is not admitted any more.
func endedSession(e *Evidence) string {
	switch {
	case e.Answer != nil && e.Answer.Status == http.StatusOK && strings.Contains(e.Answer.Body, "access_token"):
		return "a made-up refresh token was exchanged for an access token"
	case e.After != nil && e.After.Status == http.StatusUnauthorized:
		return "a made-up refresh token ended the session that it names"
	}
	return ""
}

// refusesRefresh is the check of a gateway that has refresh tokens.
func refusesRefresh(e *Evidence) error {
	if e.Answer == nil || e.Answer.Status == http.StatusNotFound || !strings.Contains(e.Answer.Get("Content-Type"), "json") {
		return fmt.Errorf("%w: nothing is refreshed at %s", errNotApplicable, e.Target.Refresh)
	}
	return nil
}
