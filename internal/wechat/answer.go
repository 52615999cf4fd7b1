package wechat

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// answerOf returns what reads an answer of the platform's: an error code becomes
// its error, anything else is decoded into into and judged by check. The content
// type is not looked at: JSON comes as text/plain and as text/html.
func (c *Client) answerOf(name CallName, into any, check func() error) func(reply) error {
	return func(r reply) error {
		body := tidy(r.body)
		code, message, err := c.dialect.status(body)
		if err != nil {
			return unreadable(r)
		}
		if code != 0 {
			return c.dialect.failure(name, code, message, c.cfg.Now())
		}
		if r.status != http.StatusOK || unmarshal(body, into) != nil {
			return unreadable(r)
		}
		return check()
	}
}

// tolerant is the option of unmarshal.
var tolerant = jsontext.AllowInvalidUTF8(true)

// tidy turns control characters into spaces: WeChat has put raw ones into
// strings, which JSON forbids, and outside of strings a space means the same.
func tidy(body []byte) []byte {
	clean := bytes.Clone(body)
	for i, b := range clean {
		if b < ' ' || b == del {
			clean[i] = ' '
		}
	}
	return clean
}

// del is the one control character of ASCII above the letters.
const del = 0x7f

// unreadable says what an answer was like, not what it said: it may echo the
// request.
func unreadable(r reply) error {
	kind := "not the JSON expected"
	switch trimmed := bytes.TrimSpace(r.body); {
	case len(trimmed) == 0:
		kind = "empty"
	case trimmed[0] == '<':
		kind = "HTML"
	}
	return fmt.Errorf("%w: HTTP status %d, %d bytes, %s", auth.ErrWeChatUnreadable, r.status, len(r.body), kind)
}

// incomplete is an answer that is JSON and reports no error, yet lacks what it
// was asked for.
func incomplete(name CallName, what string) error {
	return fmt.Errorf("%w: %s without a usable %s", auth.ErrWeChatUnreadable, name, what)
}

// errCode is a number that WeChat's samples also show as a string.
type errCode int

func (e *errCode) UnmarshalJSON(raw []byte) error {
	digits := bytes.Trim(raw, `"`)
	if string(digits) == "null" {
		*e = 0
		return nil
	}
	code, err := strconv.ParseInt(string(digits), 10, 32)
	if err != nil {
		return fmt.Errorf("%w: errcode is no number", auth.ErrWeChatUnreadable)
	}
	*e = errCode(code)
	return nil
}
