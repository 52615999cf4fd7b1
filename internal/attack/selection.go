package attack

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/attack/browsers"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// CheckCredential returns an error unless the attack user of a target has a credential.
func CheckCredential(t *corpus.Target) error {
	if t.Token == "" && t.Code == "" && t.CodeURL == "" && t.Cookie == "" {
		return errors.New("a credential is required: set --token, --code-url, --code or --cookie")
	}
	if name, value := t.SessionCookie(); t.Cookie != "" && (name == "" || value == "") {
		return errors.New("--cookie: expected name=value")
	}
	return nil
}

// ParseProtocols returns the protocols of these names.
func ParseProtocols(names []string) ([]wire.Protocol, error) {
	var protocols []wire.Protocol
	for _, name := range names {
		switch p := wire.Protocol(name); p {
		case wire.H1, wire.H2, wire.H3:
			protocols = append(protocols, p)
		default:
			return nil, fmt.Errorf("--protocols: unrecognized %q; expected one of: h1, h2, h3", name)
		}
	}
	return protocols, nil
}

// OfMechanisms returns which attacks on a target are of the mechanisms of these names; of all
// mechanisms if there are no names.
func OfMechanisms(t *corpus.Target, names []string) (func(*corpus.Attack) bool, error) {
	wanted := make(map[string]bool)
	for _, m := range Mechanisms() {
		wanted[m.Name] = len(names) == 0
	}
	for _, name := range names {
		if _, known := wanted[name]; !known {
			return nil, fmt.Errorf("--mechanisms: unrecognized %q; docs/attacks.md lists them", name)
		}
		ofBrowsers := slices.ContainsFunc(browsers.Mechanisms(), func(m *corpus.Mechanism) bool { return m.Name == name })
		if ofBrowsers && t.Cookie == "" {
			return nil, fmt.Errorf("--mechanisms: %s attacks browser sessions: set --cookie", name)
		}
		wanted[name] = true
	}
	return func(a *corpus.Attack) bool { return wanted[a.Mechanism.Name] }, nil
}
