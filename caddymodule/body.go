package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// maxBodyBytes is what a call of the login API may send: a profile with its
	// signature has some 2 KiB.
	maxBodyBytes = 8 << 10
	// bodyTimeout is how long a client may take to send it, over the worst
	// mobile link.
	bodyTimeout = 10 * time.Second
)

// readJSON reads a request's body into v, strictly: one JSON object, UTF-8, no
// member twice, each of its right type. Members that v does not name are
// ignored, since old clients send more than they need to. An empty body reads as
// an empty object. The Content-Type is not looked at: old clients get it wrong.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badRequest("The body must be one JSON object in UTF-8, with no member twice and each of its right type.")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// Best effort: not every transport has read deadlines, and those that have
	// none have others of Caddy's.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	_ = control.SetReadDeadline(time.Time{}) // or it would end a slow answer of WeChat's
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		p := badRequest("The body may have 8 KiB at most.")
		p.Status = http.StatusRequestEntityTooLarge
		return nil, p
	case err != nil:
		return nil, badRequest("The body could not be read to its end.")
	}
	return body, nil
}

// either is a field that clients spell in two ways, snake_case and camelCase.
// Both, with different values, are refused: the gateway and whoever else reads
// the request might choose differently.
func either(name string, values ...string) (string, error) {
	var value string
	for _, v := range values {
		if v == "" {
			continue
		}
		if value != "" && v != value {
			return "", badRequest("The field " + name + " was sent twice, in two spellings, with different values.")
		}
		value = v
	}
	return value, nil
}
