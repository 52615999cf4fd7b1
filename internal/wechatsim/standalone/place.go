package standalone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// A placed error is about one app, component or user of the file.
type placed struct {
	list string // apps, components or users
	at   int
	err  error
}

// Error implements [error].
func (p placed) Error() string { return fmt.Sprintf("%s[%d]: %v", p.list, p.at, p.err) }

// Unwrap returns what is wrong there.
func (p placed) Unwrap() error { return p.err }

// withLine adds the line of the file to an error about a place in it. Text is valid JSON.
func withLine(text []byte, err error) error {
	where, ok := errors.AsType[placed](err)
	if !ok {
		return err
	}
	pointer := jsontext.Pointer(fmt.Sprintf("/%s/%d", where.list, where.at))
	in := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		if _, eof := in.ReadToken(); eof != nil {
			return err // a user of the default ones
		}
		if in.StackPointer() == pointer {
			return fmt.Errorf("line %d: %w", lineOf(text, in.InputOffset()), err)
		}
	}
}
