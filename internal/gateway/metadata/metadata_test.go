package metadata

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]Metadata{
		"https://login.example.com":        {"login.example.com", "/.well-known/oauth-authorization-server", nil},
		"https://login.example.com/":       {"login.example.com", "/.well-known/oauth-authorization-server", nil},
		"https://example.com/issuer1":      {"example.com", "/.well-known/oauth-authorization-server/issuer1", nil}, // RFC 8414 section 3.1
		"https://example.com/a/b/":         {"example.com", "/.well-known/oauth-authorization-server/a/b", nil},
		"https://example.com:8443/login":   {"example.com", "/.well-known/oauth-authorization-server/login", nil},
		"https://[2001:db8::1]:8443/login": {"2001:db8::1", "/.well-known/oauth-authorization-server/login", nil},
	} {
		got, err := New(issuer, "/keys", "/v1.0/pub/revoke")
		if err != nil {
			t.Errorf("%s: %v", issuer, err)
			continue
		}
		if got.Host != want.Host || got.Path != want.Path {
			t.Errorf("%s: %q at %q, want %q at %q", issuer, got.Host, got.Path, want.Host, want.Path)
		}
	}
	got, err := New("https://example.com:8443/login/", "/keys", "/v1.0/pub/revoke")
	const want = `{"issuer":"https://example.com:8443/login/","jwks_uri":"https://example.com:8443/keys",` +
		`"revocation_endpoint":"https://example.com:8443/v1.0/pub/revoke","revocation_endpoint_auth_methods_supported":["none"]}`
	if err != nil || string(got.Document) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got.Document, want)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"":                              "must be an https URL",
		"wxgate":                        "must be an https URL",
		"http://login.example.com":      "must be an https URL",
		"https://":                      "must be an https URL",
		"https://:443":                  "must be an https URL",
		"https:login.example.com":       "must be an https URL",
		"https://user@example.com":      "must be an https URL",
		"https://example.com?":          "must be an https URL",
		"https://example.com/#":         "must be an https URL",
		"https://example.com/a%2fb":     "must be a plain path",
		"https://example.com/a/../b":    "must be a plain path",
		"https://example.com/a//b":      "must be a plain path",
		"https://example.com\n":         "must be an https URL",
		"https://example.com/\x00":      "must be an https URL",
		"https://example.com/login;a=b": "must be a plain path",
	} {
		if got, err := New(issuer, "/keys", "/revoke"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", issuer, got, err)
		}
	}
}
