package handler

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/gateway/envelope"
)

// Envelope wraps the responses of openId, decode, userInfo, refresh, logout and session,
// errors too, in an object with a code, a message and the response as data. It is for
// clients of a self-written backend that did so. Responses to requests of Tencent Wafer's
// SDKs are not wrapped.
type Envelope struct {
	// The member with the code. Default `code`.
	Code string `json:"code,omitempty"`
	// The member with the message: `ok`, or the detail of an error. Default `message`.
	Message string `json:"message,omitempty"`
	// The member with the response, or with the problem document of an error. Default
	// `data`.
	Data string `json:"data,omitempty"`
	// The code of a success: a number or a string. The code of an error is its error code, a
	// string. Default 0.
	OK json.RawMessage `json:"ok,omitempty"`
	// 200 gives every response this status. Default: errors keep their status.
	Status int `json:"status,omitempty"`
}

// resolve checks the envelope. It returns nil for nil: responses are not wrapped.
func (e *Envelope) resolve() (*envelope.Envelope, error) {
	if e == nil {
		return nil, nil //nolint:nilnil // no envelope is a configuration
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		return nil, fmt.Errorf("envelope: status must be 200, or be left out, not %d", e.Status)
	}
	return envelope.New(envelope.Config{Code: e.Code, Message: e.Message, Data: e.Data, OK: jsontext.Value(e.OK), Always: e.Status != 0})
}

// parseEnvelope reads:
//
//	envelope {
//	    code|message|data <name>
//	    ok     <value>
//	    status 200
//	}
func (h *Handler) parseEnvelope(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	e := new(Envelope)
	h.Envelope = e
	err := directive.Block{Dispenser: d, Options: map[string]func() error{
		"code":    directive.One(d, &e.Code),
		"message": directive.One(d, &e.Message),
		"data":    directive.One(d, &e.Data),
		"ok":      func() error { return e.parseOK(d) },
		"status": func() error {
			var status string
			if err := directive.One(d, &status)(); err != nil {
				return err
			}
			if status != "200" {
				return d.Errf("envelope status must be 200, not %q; leave it out to keep the status of errors", status)
			}
			e.Status = http.StatusOK
			return nil
		},
	}}.Parse()
	if err != nil {
		return err
	}
	if _, err := e.resolve(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseOK reads the code of a success: a JSON number without quotes is a number, and
// anything else is a string.
func (e *Envelope) parseOK(d *caddyfile.Dispenser) error {
	var text string
	if err := directive.One(d, &text)(); err != nil {
		return err
	}
	if number := jsontext.Value(text); !d.Token().Quoted() && number.Kind() == '0' && number.IsValid() {
		e.OK = json.RawMessage(text)
		return nil
	}
	var err error
	e.OK, err = json.Marshal(text)
	return err
}
