package web_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

// plainCookie returns a value with the form of a cookie.
func plainCookie(fill byte) string {
	return "wxc_" + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(string(rune(fill)), 48)))
}

func TestParseCookie(t *testing.T) {
	t.Parallel()
	valid := plainCookie('a')
	cookie, err := web.ParseCookie(valid)
	if err != nil || cookie.Value() != valid {
		t.Fatalf("%q, %v, want %q", cookie.Value(), err, valid)
	}
	body := strings.TrimPrefix(valid, "wxc_")
	for name, value := range map[string]string{
		"empty": "", "the prefix alone": "wxc_", "no prefix": body, "another prefix": "wxr_" + body, "in upper case": "WXC_" + body,
		"short": valid[:len(valid)-1], "long": valid + "A", "padded": valid + "=", "quoted": `"` + valid + `"`, "a space": valid + " ",
		"plus": "wxc_" + strings.Repeat("+", len(body)), "line breaks": "wxc_" + body[:40] + "\n\n\n\n" + body[:len(body)-44], "a NUL": "wxc_" + body[:63] + "\x00",
		"a refresh token": "wxr_" + strings.Repeat("A", 64), "escaped": strings.Replace(valid, "_", "%5F", 1),
	} {
		if _, err := web.ParseCookie(value); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: %v, want ErrInvalidToken", name, err)
		}
	}
}

// TestCookieIsNotPrinted prints a cookie with every verb, alone and inside other values.
func TestCookieIsNotPrinted(t *testing.T) {
	t.Parallel()
	cookie, err := web.ParseCookie(plainCookie('s'))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{cookie, &cookie, web.Opened{Cookie: cookie}} {
			if printed := fmt.Sprintf(verb, value); strings.Contains(printed, "115 115 115") || strings.Contains(printed, "737373") || strings.Contains(printed, "c3Nz") ||
				strings.Contains(printed, "ssss") || strings.Contains(printed, "0x73, 0x73") {
				t.Errorf("%s of %T prints %s", verb, value, printed)
			}
		}
	}
	if web.Cookie.Value(web.Cookie{Session: "not an ID"}) != "" {
		t.Error("a cookie without a session has a value")
	}
}

// FuzzParseCookie: one value has one spelling.
func FuzzParseCookie(f *testing.F) {
	for _, seed := range []string{"", "wxc_", plainCookie('a'), plainCookie(0), plainCookie('z') + "=", strings.Replace(plainCookie('a'), "Y", "\n", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cookie, err := web.ParseCookie(value)
		if err != nil {
			if !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%v, want ErrInvalidToken", err)
			}
			return
		}
		if cookie.Value() != value {
			t.Errorf("%q is read as %q", value, cookie.Value())
		}
	})
}
