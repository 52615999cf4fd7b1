package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxCommand is the longest body of an action, 16 KiB: names and switches.
const maxCommand = 16 << 10

// command is what the page sends with an action. Which fields are read depends on it.
type command struct {
	App     string `json:"app,omitempty"`
	User    string `json:"user,omitempty"`
	Forge   bool   `json:"forge,omitempty"`   // the phone sends an identity header
	Way     string `json:"way,omitempty"`     // of sharing a number: code or data
	Path    string `json:"path,omitempty"`    // of a business call
	Kind    string `json:"kind,omitempty"`    // of a stream: websocket or events
	Session string `json:"session,omitempty"` // to end
	Fault   string `json:"fault,omitempty"`
	On      bool   `json:"on,omitempty"` // arm the fault, confirm the login
	Attack  string `json:"attack,omitempty"`
	Door    string `json:"door,omitempty"`   // of a browser
	Number  string `json:"number,omitempty"` // that the user types on the phone
}

// errBadCommand is an action that the page cannot have sent.
var errBadCommand = errors.New("invalid request")

// actions are what the page can do, by name.
var actions = map[string]func(*Playground, context.Context, *action, command) error{
	"login":       (*Playground).login,
	"phone":       (*Playground).shareNumber,
	"call":        (*Playground).business,
	"refresh":     (*Playground).refresh,
	"logout":      (*Playground).logout,
	"open":        (*Playground).open,
	"hangup":      (*Playground).hangUp,
	"visit":       (*Playground).visit,
	"allow":       (*Playground).allow,
	"go-on":       (*Playground).goOn,
	"leave":       (*Playground).leave,
	"scan":        (*Playground).scanCode,
	"decide":      (*Playground).decide,
	"end-person":  (*Playground).endPerson,
	"end-session": (*Playground).endSession,
	"rotate-key":  (*Playground).rotateKey,
	"fault":       (*Playground).setFault,
	"attack":      (*Playground).fire,
	"clear":       (*Playground).clear,
}

// serveAction is POST /do/{action}.
func (p *Playground) serveAction(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("action")
	if _, ok := actions[name]; !ok {
		http.NotFound(w, r)
		return
	}
	var c command
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommand))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, "the body must be a JSON object of an action", http.StatusBadRequest)
		return
	}
	if a, ok := p.do(w, r, name, c); ok {
		writeJSON(w, a)
	}
}

// do carries out an action, once no other runs. If that takes too long, it responds itself
// and returns false.
func (p *Playground) do(w http.ResponseWriter, r *http.Request, name string, c command) (*action, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		http.Error(w, "another action is running", http.StatusServiceUnavailable)
		return nil, false
	}
	a := p.recorder.begin(name, c)
	if err := actions[name](p, ctx, a, c); err != nil {
		a.Error = err.Error()
	}
	p.recorder.end(a)
	p.changed()
	return a, true
}

// clear empties the diagram.
func (p *Playground) clear(context.Context, *action, command) error {
	p.recorder.clear()
	return nil
}

// oneOf refuses a value that the page does not offer.
func oneOf(name, value string, known []string) error {
	if !slices.Contains(known, value) {
		return fmt.Errorf("%w: unrecognized %s %q; expected one of: %s", errBadCommand, name, value, strings.Join(known, ", "))
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the page has gone
}
