// Package envelope wraps responses of the login API in an object with a code and a
// message, as clients of a self-written backend expect them.
package envelope

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/problem"
)

// messageOK is the message of a success.
const messageOK = "ok"

// noData is the data of a success without data.
const noData = "{}"

// Config is the format of an envelope. An empty value is replaced with its default.
type Config struct {
	Code    string         // the member with the code; default code
	Message string         // the member with the message; default message
	Data    string         // the member with the response itself; default data
	OK      jsontext.Value // the code of a success, a JSON number or string; default 0
	Always  bool           // every response has the status 200
}

// Envelope wraps responses. The nil *Envelope does not wrap them. It is safe for concurrent
// use.
type Envelope struct {
	code, message, data string // member names, each as a JSON string
	ok                  string // JSON
	always              bool
}

// New checks the names and the code of a success.
func New(c Config) (*Envelope, error) {
	e := &Envelope{ok: "0", always: c.Always}
	seen := map[string]bool{}
	for _, member := range []struct {
		name, byDefault string
		into            *string
	}{
		{c.Code, "code", &e.code},
		{c.Message, "message", &e.message},
		{c.Data, "data", &e.data},
	} {
		name := member.name
		if name == "" {
			name = member.byDefault
		}
		if seen[name] {
			return nil, fmt.Errorf("envelope: member name %q is used twice", name)
		}
		seen[name] = true
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("envelope: member name %q: %w", name, err)
		}
		*member.into = string(quoted)
	}
	if c.OK != nil {
		if err := checkOK(c.OK); err != nil {
			return nil, err
		}
		e.ok = string(c.OK)
	}
	return e, nil
}

// checkOK refuses a code of a success that is also an error code: a client would mistake a
// refusal for a success.
func checkOK(ok jsontext.Value) error {
	if kind := ok.Kind(); !ok.IsValid() || kind != '"' && kind != '0' {
		return errors.New("envelope: ok must be a number or a string")
	}
	var text string
	if json.Unmarshal(ok, &text) == nil && problem.Known(text) {
		return fmt.Errorf("envelope: ok %q is also the code of an error", text)
	}
	return nil
}

// Wrap returns a JSON document in its envelope, byte for byte; nil means no data.
func (e *Envelope) Wrap(document []byte) []byte {
	if e == nil {
		return document
	}
	if document == nil {
		document = []byte(noData)
	}
	return e.join(e.ok, `"`+messageOK+`"`, document)
}

// WriteProblem responds with a problem in its envelope, whose data is the problem document.
// instance is the ID of the request in the access log. With the status 200 there is no
// WWW-Authenticate header, which belongs to a 401.
func (e *Envelope) WriteProblem(w http.ResponseWriter, p *problem.Problem, instance string) error {
	document, err := p.Document(instance)
	if err != nil {
		return err
	}
	code, err := json.Marshal(p.Code)
	if err != nil {
		return err
	}
	message, err := json.Marshal(p.Text())
	if err != nil {
		return err
	}
	sent := *p // requests share problems
	if e.always {
		sent.Status, sent.Bearer = http.StatusOK, ""
	}
	return sent.WriteBody(w, "application/json; charset=utf-8", e.join(string(code), string(message), document))
}

func (e *Envelope) join(code, message string, data []byte) []byte {
	head := "{" + e.code + ":" + code + "," + e.message + ":" + message + "," + e.data + ":"
	body := make([]byte, 0, len(head)+len(data)+len("}"))
	return append(append(append(body, head...), data...), '}')
}
