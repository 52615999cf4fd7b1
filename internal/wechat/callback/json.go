package callback

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep objects and arrays, or elements, may be nested. The messages of
// WeChat's documentation have four levels.
const maxDepth = 16

// plainJSON checks a message in JSON and returns it without the spaces that WeChat's samples
// have, also in the names of members (" OpenID"). Numbers keep their digits: a MsgId has more
// digits than a float64. Text in GBK is accepted, and becomes U+FFFD. The error is
// errNoMessage: for a text that is not an object, for deep nesting, and for a duplicate member,
// which two parsers could read as different values.
func plainJSON(body []byte) (jsontext.Value, error) {
	in := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true))
	var out bytes.Buffer
	to := jsontext.NewEncoder(&out, jsontext.AllowInvalidUTF8(true))
	if in.PeekKind() != '{' {
		return nil, errNoMessage
	}
	for in.StackDepth() > 0 || in.InputOffset() == 0 {
		token, err := in.ReadToken()
		if err != nil || in.StackDepth() > maxDepth {
			return nil, errNoMessage
		}
		if isName(in) {
			token = jsontext.String(strings.TrimSpace(token.String()))
		}
		if to.WriteToken(token) != nil { // a duplicate name without its spaces
			return nil, errNoMessage
		}
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNoMessage
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// isName reports whether the last token was the name of a member.
func isName(in *jsontext.Decoder) bool {
	kind, length := in.StackIndex(in.StackDepth())
	return kind == '{' && length%2 == 1
}

// members returns the members of an object that plainJSON returned.
func members(object jsontext.Value) (map[string]jsontext.Value, error) {
	var all map[string]jsontext.Value
	if json.Unmarshal(object, &all) != nil {
		return nil, errNoMessage
	}
	return all, nil
}

// text returns the string value, or "" if there is none. Any other type is an error.
func text(value jsontext.Value) (string, error) {
	if value == nil {
		return "", nil
	}
	var s string
	if value.Kind() != '"' || json.Unmarshal(value, &s) != nil {
		return "", errNoMessage
	}
	return s, nil
}

// textOrNumber is text, and accepts a number, of which it returns the digits.
func textOrNumber(value jsontext.Value) (string, error) {
	if value.Kind() == '0' {
		return string(value), nil
	}
	return text(value)
}
