package problem

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxBodyBytes bounds the body of a call of the login API: a profile with its signature has
	// some 2 KiB.
	maxBodyBytes = 8 << 10
	// bodyTimeout is how long a client may take to send the body, over the worst mobile link.
	bodyTimeout = 10 * time.Second
)

// ReadJSON reads a request's body into v, strictly: one JSON object in UTF-8, without duplicate
// keys, and with members of the right types. Unknown members are ignored, since old clients
// send more than necessary. An empty body is read as an empty object. The Content-Type is
// ignored: old clients send wrong ones.
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := ReadBody(w, r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badBody(err, v)
	}
	return nil
}

// badBody returns a problem for the member of the body that is wrong. It only contains names of
// members of v: a problem never quotes the request.
func badBody(err error, v any) *Problem {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(syntax.Err, jsontext.ErrDuplicateName) {
		if _, ok := memberOf(v, syntax.JSONPointer); ok {
			return BadRequest("Duplicate key %q.", syntax.JSONPointer.LastToken())
		}
		return BadRequest("The body has a duplicate key.")
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		if detail, ok := memberOf(v, semantic.JSONPointer); ok {
			return BadRequest(detail, semantic.JSONPointer.LastToken())
		}
	}
	return BadRequest("The body must be one JSON object in UTF-8.")
}

// memberOf finds the field of v for a pointer into the body, and returns a detail with the type
// of its JSON value. Bodies are flat.
func memberOf(v any, at jsontext.Pointer) (detail string, ok bool) {
	for field := range reflect.TypeOf(v).Elem().Fields() {
		if at != jsontext.Pointer("").AppendToken(field.Tag.Get("json")) {
			continue
		}
		if field.Type.Kind() == reflect.Bool || field.Type == reflect.TypeFor[*bool]() {
			return "%q must be true or false.", true
		}
		return "%q must be a string.", true
	}
	return "", false
}

// ReadBody reads a body of at most 8 KiB.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return ReadAtMost(w, r, maxBodyBytes)
}

// ReadAtMost reads a body of at most a number of bytes, within 10 seconds.
func ReadAtMost(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	// Ignore the error: not every transport supports read deadlines. Those that don't have
	// other timeouts of Caddy.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	_ = control.SetReadDeadline(time.Time{}) // otherwise it would end the request while WeChat responds slowly
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p := BadRequest("The body may have %d KiB at most.", most>>10)
		p.Status = http.StatusRequestEntityTooLarge
		return nil, p
	}
	if err != nil {
		return nil, BadRequest("The request body was incomplete.")
	}
	return body, nil
}

// Either returns the value of a field that clients spell in two ways, snake_case and camelCase.
// If both are present with different values, they are refused: the gateway and another reader
// of the request might choose different values.
func Either(name string, values ...string) (string, error) {
	var value string
	for _, v := range values {
		if v == "" {
			continue
		}
		if value != "" && v != value {
			return "", BadRequest("The field %s was sent twice, in two spellings, with different values.", name)
		}
		value = v
	}
	return value, nil
}
