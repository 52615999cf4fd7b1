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
	refreshes Control = "a made-up refresh token is refused"
	decodes   Control = "a ciphertext that decrypts to noise is refused as such"
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
	ticket := []Request{{Path: path(t.Public)}} // early data resumes a connection
	stream := Request{Method: "POST", Path: path(t.Guarded), Header: []Field{bearer("{token}")}, Body: streamBody, Chunked: true}
	decodeToken := decodeRequest(t, "")
	decodeToken.Header = append(decodeToken.Header, bearer("{token}"))
	return map[Control]control{
		admitted:  {request: get(path(t.Guarded)), check: showsIdentity},
		guarded:   {request: anonymous(path(t.Guarded)), check: isClosed},
		public:    {request: anonymous(path(t.Public)), check: needed(t.Public)},
		optional:  {request: anonymous(path(t.Optional)), check: needed(t.Optional)},
		policy:    {request: get(path(t.Phone)), check: needsMore},
		streamed:  {request: stream, check: streams},
		websocket: {request: handshake(path(t.Guarded)), check: shakesHands},
		errorPath: {request: get(path(t.Broken)), check: needed(t.Broken)},
		canLogin:  {request: *loginRequest(t, "{code}"), check: logsIn},
		refreshes: {request: refreshRequest(t, "made-up"), check: refusesRefresh},
		decodes:   {request: decodeToken, check: triesToDecrypt},
		resigned:  {request: forged(path(t.Guarded)), forge: wellSigned(nil, nil), check: comesThrough},
		earlyData: {before: ticket, request: Request{Path: path(t.Public), Early: true}, check: needed("early data")},
	}
}

const streamBody = "hello"

func comesThrough(e *Evidence) error {
	_, err := e.reached()
	return err
}

func showsIdentity(e *Evidence) error {
	s, err := e.reached()
	if err != nil {
		return err
	}
	if name := e.Target.Identity; len(s.all(name)) != 1 || s.first(name) == "" {
		return fmt.Errorf("the upstream got %d headers %s", len(s.all(name)), name)
	}
	return nil
}

func isClosed(e *Evidence) error {
	switch {
	case len(e.Seen) > 0:
		return errors.New("the guarded path is open to everybody")
	case e.Answer == nil || e.Answer.Status != http.StatusUnauthorized && e.Answer.Status != http.StatusForbidden:
		return fmt.Errorf("no 401 or 403, but %s", e.status())
	}
	return nil
}

func needsMore(e *Evidence) error {
	if len(e.Seen) > 0 {
		return fmt.Errorf("%w: %s needs no more than a token here", errNotApplicable, e.Target.Phone)
	}
	if e.Answer == nil || e.Answer.Status != http.StatusForbidden {
		return fmt.Errorf("no 403, but %s", e.status())
	}
	return nil
}

func streams(e *Evidence) error {
	s, err := e.reached()
	if err == nil && s.Body != streamBody {
		return fmt.Errorf("the body arrived as %q", s.Body)
	}
	return err
}

func shakesHands(e *Evidence) error {
	s, err := e.reached()
	if err == nil && s.Upgrade != "websocket" {
		return fmt.Errorf("%w: the gateway passes no WebSocket on", errNotApplicable)
	}
	return err
}

func logsIn(e *Evidence) error {
	if e.Answer == nil || e.Answer.Status != http.StatusOK || !strings.Contains(e.Answer.Body, "access_token") {
		return errors.New(e.status())
	}
	return nil
}

// needed is the check of what some gateways do not have.
func needed(what string) func(*Evidence) error {
	return func(e *Evidence) error {
		if len(e.Seen) == 0 {
			return fmt.Errorf("%w: nothing reaches the echo by %s: %s", errNotApplicable, what, e.status())
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
