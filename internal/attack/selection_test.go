package attack_test

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
)

// TestSelection: attacks on browser sessions are only selected with a cookie, and attacks on
// tokens have a reason why they are not sent with a cookie.
func TestSelection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target     corpus.Target
		mechanisms []string
		want       string // of the error
	}{
		"token":             {corpus.Target{Token: "x"}, nil, ""},
		"cookie":            {corpus.Target{Cookie: "a=b"}, []string{"csrf"}, ""},
		"nothing":           {corpus.Target{}, nil, "a credential is required"},
		"no name":           {corpus.Target{Cookie: "=b"}, nil, "expected name=value"},
		"no value":          {corpus.Target{Cookie: "a"}, nil, "expected name=value"},
		"csrf with a token": {corpus.Target{Token: "x"}, []string{"csrf"}, "csrf attacks browser sessions: set --cookie"},
		"unknown":           {corpus.Target{Token: "x"}, []string{"magic"}, `unrecognized "magic"`},
	} {
		err := attack.CheckCredential(&test.target)
		if err == nil {
			_, err = attack.OfMechanisms(&test.target, test.mechanisms)
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	with := corpus.Target{URL: "https://localhost:1", Cookie: "s=secret"}
	with.Defaults()
	sent := 0
	for _, a := range attack.Corpus(&with) {
		tokens := a.Mechanism.Name == "token" || a.Mechanism.Name == "several" || a.Mechanism.Name == "oracle" || strings.HasPrefix(a.ID, "login/forged-refresh")
		if tokens != (a.Inapplicable != "") {
			t.Errorf("%s: inapplicable because %q", a.ID, a.Inapplicable)
		}
		text := a.Request.String()
		if a.Mechanism.Name == "identity" && strings.Contains(text, "{token}") {
			t.Errorf("%s is sent with a token: %s", a.ID, text)
		}
		if a.Mentions("{cookie}") {
			sent++
		}
	}
	if sent == 0 {
		t.Error("no attack is sent with the cookie")
	}
}
