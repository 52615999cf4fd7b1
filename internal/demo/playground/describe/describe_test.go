package describe

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// tokenFor is an unsigned JWT, {"alg":"none"} and {"sub":"alice"}.
const tokenFor = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2ln"

// TestDecodeToken: only a JWT is decoded.
func TestDecodeToken(t *testing.T) {
	for _, token := range []string{"", "a.b", "a.b.c.d", "!.!.!", "e30.W.c"} {
		if c := DecodeToken(token); c != nil {
			t.Errorf("%q: %v", token, c)
		}
	}
	c := DecodeToken(tokenFor)
	if c == nil || !json.Valid(c.Header) || string(c.Payload) != `{"sub":"alice"}` {
		t.Errorf("%v", c)
	}
}

// TestReadable: a picture is no text.
func TestReadable(t *testing.T) {
	for want, body := range map[string]string{"(image/png)": "\x89PNG", "text": "text", `{"image":"data:image/png;base64,…"}`: `{"image":"data:image/png;base64,iVBO"}`} {
		h := http.Header{"Content-Type": {"text/plain"}}
		if strings.HasPrefix(want, "(") {
			h.Set("Content-Type", "image/png")
		}
		if got := Readable(h, []byte(body)); got != want {
			t.Errorf("%q became %q, want %q", body, got, want)
		}
	}
}

// TestWithoutCookies: the names and the attributes stay, the values do not, and the headers
// that are sent keep both.
func TestWithoutCookies(t *testing.T) {
	h := http.Header{"Set-Cookie": {"a=secret; Path=/; HttpOnly", "b=; Max-Age=0", "c=secret"}, "Cookie": {"a=secret; b=secret=", "c"}, "Via": {"1.1 Caddy"}}
	want := http.Header{"Set-Cookie": {"a=•••; Path=/; HttpOnly", "b=; Max-Age=0", "c=•••"}, "Cookie": {"a=•••; b=•••", "c=•••"}, "Via": {"1.1 Caddy"}}
	if got := WithoutCookies(h); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if h.Get("Cookie") != "a=secret; b=secret=" {
		t.Errorf("the request was changed: %v", h)
	}
}

// TestMasked: what WeChat and the gateway keep between them is hidden wherever it is.
func TestMasked(t *testing.T) {
	for text, want := range map[string]string{
		"/x?appid=1&secret=s&js_code=2":             "/x?appid=1&secret=•••&js_code=2",
		"/x?access_token=t":                         "/x?access_token=•••",
		`{"session_key":"k","openid":"o"}`:          `{"session_key":"•••","openid":"o"}`,
		`{"access_token": "t","refresh_token":"r"}`: `{"access_token": "•••","refresh_token":"•••"}`,
	} {
		if got := Masked(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

// TestWrapped: no line is longer than asked for, and a word that is longer stays whole.
func TestWrapped(t *testing.T) {
	for text, want := range map[string]string{
		"  one two three": "  one two\n    three", "short": "short", "  ": "  ", "averylongword": "averylongword", "一二三 四五六 七八": "一二三 四五六\n  七八",
	} {
		if got := Wrapped(text, 9); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
