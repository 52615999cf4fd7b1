package apisecurity

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// The members that are added to the data before encryption.
const (
	memberNonce     = "_n"
	memberAppID     = "_appid"
	memberTimestamp = "_timestamp"
)

var errNotObject = errors.New("not one JSON object")

// eachMember calls each for the members of a JSON object, in order and with their original
// text. Duplicate names are an error: another parser may use the other value.
func eachMember(raw []byte, each func(name string, value jsontext.Value) error) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return errNotObject
	}
	for decoder.PeekKind() == '"' {
		token, err := decoder.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := each(name, value); err != nil {
			return err
		}
	}
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '}' {
		return errNotObject
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotObject
	}
	return nil
}

// object writes a JSON object, member by member.
type object struct{ text []byte }

func (o *object) add(name string, value []byte) {
	separator := byte(',')
	if len(o.text) == 0 {
		separator = '{'
	}
	o.text = append(appendString(append(o.text, separator), name), ':')
	o.text = append(o.text, value...)
}

func (o *object) close() []byte {
	if len(o.text) == 0 {
		return []byte("{}")
	}
	return append(o.text, '}')
}

// appendString appends a JSON string. Its error is about invalid UTF-8, which is replaced.
func appendString(to []byte, s string) []byte {
	to, _ = jsontext.AppendQuote(to, s)
	return to
}
