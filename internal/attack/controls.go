package attack

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Control is a benign request that shows that what is attacked works at all.
type Control string

// The controls.
const (
	admitted  Control = "a token is admitted, and the upstream sees who it is"
	guarded   Control = "without a token nothing comes through"
	public    Control = "a public path needs no token"
	optional  Control = "an optional path needs no token, and a token is seen there"
	policy    Control = "the attack user's token does not open the path that needs more"
	streamed  Control = "a body without a length comes through"
	websocket Control = "a WebSocket handshake comes through"
	errorPath Control = "a failing proxy's error route asks the echo"
	canLogin  Control = "a code becomes a token"
	resigned  Control = "a token re-signed with the gateway's key is admitted"
	earlyData Control = "a harmless request in early data reaches the upstream"
)

// control says how to tell.
type control struct {
	before  []Request
	request Request
	forge   func(*Secrets) (string, error)
	// check returns nil, errNotApplicable when the gateway has no such thing, or
	// what is broken.
	check func(*Evidence) error
}

func (t *Target) controls() map[Control]control {
	path := func(prefix string) string { return prefix + "control" }
	return map[Control]control{
		admitted: {request: get(path(t.Guarded)), check: func(e *Evidence) error {
			s, err := e.reached()
			if err != nil {
				return err
			}
			if len(s.all(t.Identity)) != 1 || s.first(t.Identity) == "" {
				return fmt.Errorf("the upstream got %d headers %s", len(s.all(t.Identity)), t.Identity)
			}
			return nil
		}},
		guarded: {request: anonymous(path(t.Guarded)), check: func(e *Evidence) error {
			switch {
			case len(e.Seen) > 0:
				return errors.New("the guarded path is open to everybody")
			case e.Answer == nil || e.Answer.Status != http.StatusUnauthorized && e.Answer.Status != http.StatusForbidden:
				return fmt.Errorf("no 401 or 403, but %s", e.status())
			}
			return nil
		}},
		public:   {request: anonymous(path(t.Public)), check: needed(t.Public)},
		optional: {request: anonymous(path(t.Optional)), check: needed(t.Optional)},
		policy: {request: get(path(t.Phone)), check: func(e *Evidence) error {
			if len(e.Seen) > 0 {
				return fmt.Errorf("%w: %s needs no more than a token here", errNotApplicable, t.Phone)
			}
			if e.Answer == nil || e.Answer.Status != http.StatusForbidden {
				return fmt.Errorf("no 403, but %s", e.status())
			}
			return nil
		}},
		streamed: {
			request: Request{Method: "POST", Path: path(t.Guarded), Header: []Field{bearer("{token}")}, Body: "hello", Chunked: true},
			check: func(e *Evidence) error {
				s, err := e.reached()
				if err == nil && s.Body != "hello" {
					return fmt.Errorf("the body arrived as %q", s.Body)
				}
				return err
			},
		},
		websocket: {request: handshake(path(t.Guarded)), check: func(e *Evidence) error {
			s, err := e.reached()
			if err == nil && s.Upgrade != "websocket" {
				return fmt.Errorf("%w: the gateway passes no WebSocket on", errNotApplicable)
			}
			return err
		}},
		errorPath: {request: get(path(t.Broken)), check: func(e *Evidence) error {
			if len(e.Seen) == 0 {
				return fmt.Errorf("%w: no error route asks the echo", errNotApplicable)
			}
			return nil
		}},
		canLogin: {request: *loginRequest(t, "{code}"), check: func(e *Evidence) error {
			if e.Answer == nil || e.Answer.Status != http.StatusOK || !strings.Contains(e.Answer.Body, "access_token") {
				return errors.New(e.status())
			}
			return nil
		}},
		resigned: {request: forged(path(t.Guarded)), forge: wellSigned(nil, nil), check: func(e *Evidence) error {
			_, err := e.reached()
			return err
		}},
		earlyData: {before: []Request{{Path: path(t.Public)}}, request: Request{Path: path(t.Public), Early: true}, check: func(e *Evidence) error {
			if len(e.Seen) == 0 {
				return fmt.Errorf("%w: the gateway acts on no early data", errNotApplicable)
			}
			return nil
		}},
	}
}

// needed is the check of a path that some gateways do not have.
func needed(prefix string) func(*Evidence) error {
	return func(e *Evidence) error {
		if len(e.Seen) == 0 {
			return fmt.Errorf("%w: the gateway has no such path: %s gives %s", errNotApplicable, prefix, e.status())
		}
		return nil
	}
}

// reached is the one request that came through.
func (e *Evidence) reached() (*Seen, error) {
	if len(e.Seen) != 1 {
		return nil, fmt.Errorf("%d requests reached the upstream, and the client got %s", len(e.Seen), e.status())
	}
	return e.Seen[0], nil
}

func (e *Evidence) status() string {
	if e.Answer == nil {
		return "no answer"
	}
	return fmt.Sprintf("status %d", e.Answer.Status)
}
