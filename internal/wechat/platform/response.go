package platform

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// Decode reads a response into into, or returns the error that the platform reports.
// It ignores the content type: platforms send JSON as text/plain and as text/html.
// Errors quote the platform's message, which may contain secrets of the request.
func (d *Dialect) Decode(name CallName, status int, raw []byte, into any, now time.Time) error {
	body := clean(raw)
	code, message, err := d.status(body)
	if err != nil {
		return unreadable(status, raw)
	}
	if code != 0 {
		m := d.meaning(name, code, now)
		return &auth.PlatformError{Class: m.class, Code: code, Message: message, RetryAfter: m.after}
	}
	if status != http.StatusOK || unmarshal(body, into) != nil {
		return unreadable(status, raw)
	}
	return nil
}

// RefusesToken reports whether a response is a refusal of the access token.
func (d *Dialect) RefusesToken(body []byte) bool {
	code, _, err := d.status(clean(body))
	return err == nil && slices.Contains(d.stale, code)
}

// unmarshal accepts an errmsg in GBK: the error code is sufficient, and every other field is
// checked against its alphabet.
func unmarshal(body []byte, into any) error {
	return json.Unmarshal(body, into, jsontext.AllowInvalidUTF8(true))
}

// clean replaces control characters with spaces: WeChat has sent them unescaped in strings,
// which JSON forbids. Outside strings a space has the same meaning.
func clean(body []byte) []byte {
	cleaned := bytes.Clone(body)
	for i, b := range cleaned {
		if b < ' ' || b == del {
			cleaned[i] = ' '
		}
	}
	return cleaned
}

// del is the control character after the letters of ASCII.
const del = 0x7f

// unreadable describes a response without quoting it, since it may repeat secrets of the
// request.
func unreadable(status int, body []byte) error {
	kind := "not the JSON expected"
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		kind = "empty"
	case trimmed[0] == '<':
		kind = "HTML"
	}
	return fmt.Errorf("%w: HTTP status %d, %d bytes, %s", auth.ErrWeChatUnreadable, status, len(body), kind)
}

// Incomplete is the error for a response that is JSON and reports no error, but has
// no valid value of the named field.
func Incomplete(name CallName, field string) error {
	return fmt.Errorf("%w: %s without a usable %s", auth.ErrWeChatUnreadable, name, field)
}

// errCode is a number, which WeChat's samples also show as a string.
type errCode int

func (e *errCode) UnmarshalJSON(raw []byte) error {
	digits := bytes.Trim(raw, `"`)
	if string(digits) == "null" {
		*e = 0
		return nil
	}
	code, err := strconv.ParseInt(string(digits), 10, 32)
	if err != nil {
		return fmt.Errorf("%w: errcode is not a number", auth.ErrWeChatUnreadable)
	}
	*e = errCode(code)
	return nil
}
