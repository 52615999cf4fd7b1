package corpus

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Control names a benign request that shows that the attacked route works.
type Control string

// The controls.
const (
	Admitted  Control = "a token is admitted, and the upstream sees who it is"
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

// Test is the request of a control, and the check of its result.
type Test struct {
	Before  []wire.Request
	Request wire.Request
	Forge   func(*Secrets) (string, error)
	// Check returns an error if the route does not work, and ErrNotApplicable if the
	// gateway has no such route.
	Check func(*Evidence) error
}

// Controls returns the tests of all controls.
func (t *Target) Controls() map[Control]Test {
	path := func(prefix string) string { return prefix + "control" }
	ticket := []wire.Request{{Path: path(t.Public)}} // early data resumes a connection
	stream := wire.Request{Method: "POST", Path: path(t.Guarded), Header: []wire.Field{bearer("{token}")}, Body: streamBody, Chunked: true}
	decodeToken := decodeRequest(t, "")
	decodeToken.Header = append(decodeToken.Header, bearer("{token}"))
	controls := map[Control]Test{
		Admitted:  {Request: get(path(t.Guarded)), Check: showsIdentity},
		guarded:   {Request: anonymous(path(t.Guarded)), Check: isClosed},
		public:    {Request: anonymous(path(t.Public)), Check: needed(t.Public)},
		optional:  {Request: anonymous(path(t.Optional)), Check: needed(t.Optional)},
		policy:    {Request: get(path(t.Phone)), Check: needsMore},
		streamed:  {Request: stream, Check: streams},
		websocket: {Request: handshake(path(t.Guarded)), Check: shakesHands},
		errorPath: {Request: get(path(t.Broken)), Check: needed(t.Broken)},
		canLogin:  {Request: *LoginRequest(t, "{code}"), Check: logsIn},
		refreshes: {Request: refreshRequest(t, "made-up"), Check: refusesRefresh},
		decodes:   {Request: decodeToken, Check: triesToDecrypt},
		resigned:  {Request: forged(path(t.Guarded)), Forge: wellSigned(nil, nil), Check: comesThrough},
		earlyData: {Before: ticket, Request: wire.Request{Path: path(t.Public), Early: true}, Check: needed("early data")},
	}
	for name, test := range controls {
		test.Request, test.Before = t.withCookie(test.Request), t.allWithCookie(test.Before)
		controls[name] = test
	}
	return controls
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
	if name := e.Target.Identity; len(s.All(name)) != 1 || s.First(name) == "" {
		return fmt.Errorf("the upstream got %d headers %s", len(s.All(name)), name)
	}
	return nil
}

func isClosed(e *Evidence) error {
	switch {
	case len(e.Seen) > 0:
		return errors.New("the guarded path is open without a token")
	case e.Response == nil || e.Response.Status != http.StatusUnauthorized && e.Response.Status != http.StatusForbidden:
		return fmt.Errorf("no 401 or 403, but %s", e.status())
	}
	return nil
}

func needsMore(e *Evidence) error {
	if len(e.Seen) > 0 {
		return fmt.Errorf("%w: %s needs no more than a token here", ErrNotApplicable, e.Target.Phone)
	}
	if e.Response == nil || e.Response.Status != http.StatusForbidden {
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
		return fmt.Errorf("%w: the gateway passes no WebSocket on", ErrNotApplicable)
	}
	return err
}

func logsIn(e *Evidence) error {
	if e.Response == nil || e.Response.Status != http.StatusOK || !strings.Contains(e.Response.Body, "access_token") {
		return errors.New(e.status())
	}
	return nil
}

// needed returns the check of a route that some gateways do not have.
func needed(what string) func(*Evidence) error {
	return func(e *Evidence) error {
		if len(e.Seen) == 0 {
			return fmt.Errorf("%w: nothing reaches the echo by %s: %s", ErrNotApplicable, what, e.status())
		}
		return nil
	}
}

// reached returns the one request that reached the upstream.
func (e *Evidence) reached() (*wire.Seen, error) {
	if len(e.Seen) != 1 {
		return nil, fmt.Errorf("%d requests reached the upstream, and the client got %s", len(e.Seen), e.status())
	}
	return e.Seen[0], nil
}

func (e *Evidence) status() string {
	if e.Response == nil {
		return "no response"
	}
	return fmt.Sprintf("status %d", e.Response.Status)
}
