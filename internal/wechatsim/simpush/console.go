package simpush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	// attempts is how often WeChat sends a message, and patience how long it waits for each
	// response and between two of them.
	attempts = 3
	patience = 5 * time.Second

	// maxResponse is how much of a response is read: WeChat's own limit is not documented, and
	// a text has 2,048 bytes at most.
	maxResponse = 64 << 10

	// maxSent is how many pushes are kept; the oldest go first.
	maxSent = 100
)

// The outcomes of a push.
const (
	Acknowledged = "success"
	Replied      = "reply"
	Failed       = "failed"    // after three attempts
	BadReply     = "bad_reply" // not encrypted, signed or addressed as WeChat requires
)

// ErrNoTarget means that the app has no push configuration.
var ErrNoTarget = errors.New("the app has no push configuration; set it with POST /push-targets")

// An Attempt is one request and what came of it.
type Attempt struct {
	Status  int    `json:"status,omitempty"` // 0: no response within five seconds
	Took    string `json:"took"`
	Problem string `json:"problem,omitempty"`
}

// A Sent is a message that was pushed.
type Sent struct {
	ID       int       `json:"id"`
	App      string    `json:"appid"`
	OpenID   string    `json:"openid"`
	Type     string    `json:"type"`
	MsgID    string    `json:"msg_id,omitempty"` // events have none
	Message  string    `json:"message"`          // the plaintext
	Time     time.Time `json:"time"`
	Attempts []Attempt `json:"attempts"`
	Outcome  string    `json:"outcome"`
	Reply    string    `json:"reply,omitempty"` // decrypted
	Problem  string    `json:"problem,omitempty"`
}

// A Console pushes to the apps of a simulator. It is safe for concurrent use.
type Console struct {
	sim       *wechatsim.Sim
	transport http.RoundTripper

	mu      sync.Mutex
	targets map[string]wechatsim.Push // by appid
	sent    []Sent
	total   int
}

// NewConsole returns a console with the targets that the apps were configured with.
func NewConsole(s *wechatsim.Sim) *Console {
	c := &Console{sim: s, transport: &http.Transport{DisableKeepAlives: true}, targets: map[string]wechatsim.Push{}}
	for _, app := range s.Apps() {
		if app.Push != (wechatsim.Push{}) {
			c.targets[app.ID] = app.Push
		}
	}
	return c
}

// Configure sets where the messages of an app go, by default those of the first app, and checks
// the address as WeChat's console does (提交): the server must return echostr. The configuration
// is kept even if it does not, which WeChat would refuse. Errors: [wechatsim.ErrUnknownApp],
// [wechatsim.ErrBadPush].
func (c *Console) Configure(ctx context.Context, appid string, push wechatsim.Push) (Attempt, error) {
	push, err := push.Check()
	if err != nil {
		return Attempt{}, err
	}
	if appid == "" {
		appid = c.sim.Apps()[0].ID
	}
	if !slices.ContainsFunc(c.sim.Apps(), func(a wechatsim.App) bool { return a.ID == appid && a.Platform == wechatsim.WeChat }) {
		return Attempt{}, fmt.Errorf("%w: %q on WeChat", wechatsim.ErrUnknownApp, appid)
	}
	c.mu.Lock()
	c.targets[appid] = push
	c.mu.Unlock()
	check := Check(c.sim, target(appid, push))
	made, body := c.attempt(ctx, push.URL, check)
	if made.Problem == "" && body != check.Query.Get("echostr") {
		made.Problem = "the response is not echostr"
	}
	return made, nil
}

// Targets returns the configurations by appid.
func (c *Console) Targets() map[string]wechatsim.Push {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]wechatsim.Push, len(c.targets))
	maps.Copy(all, c.targets)
	return all
}

// Pushes returns the messages that were pushed, oldest first, at most 100.
func (c *Console) Pushes() []Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Sent{}, c.sent...) // [] in JSON if there are none
}

// Push sends a message about a user up to three times, until it is acknowledged or replied to,
// and returns what came of it. Errors: [wechatsim.ErrUnknownApp], [ErrNoTarget],
// [ErrBadMessage], [sealing.ErrBadAESKey]; and that of a context that ended.
func (c *Console) Push(ctx context.Context, u wechatsim.User, what What) (Sent, error) {
	u, err := c.sim.Resolve(u)
	if err != nil {
		return Sent{}, err
	}
	c.mu.Lock()
	push, ok := c.targets[u.App]
	c.mu.Unlock()
	if !ok {
		return Sent{}, ErrNoTarget
	}
	if what.Type == "" {
		what.Type = "text"
	}
	text, id, err := compose(c.sim, u, what, push.Format == "xml")
	if err != nil {
		return Sent{}, err
	}
	sent := Sent{App: u.App, OpenID: u.OpenID, Type: what.Type, MsgID: id, Message: text, Time: c.sim.Now(), Outcome: Failed}
	to := target(u.App, push)
	for n := range attempts {
		began := time.Now()
		request, err := Message(c.sim, text, to) // signed anew, as WeChat does
		if err != nil {
			return Sent{}, err
		}
		request.Query.Set("openid", u.OpenID)
		made, body := c.attempt(ctx, push.URL, request)
		sent.Attempts = append(sent.Attempts, made)
		if made.Problem == "" {
			sent.settle(body, request.Query.Get("nonce"), to)
			break
		}
		if n < attempts-1 && !wait(ctx, patience-time.Since(began)) {
			return Sent{}, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	sent.ID = c.total
	if len(c.sent) >= maxSent {
		c.sent = slices.Delete(c.sent, 0, 1)
	}
	c.sent = append(c.sent, sent)
	return sent, nil
}

// settle reads the response of an attempt that succeeded.
func (s *Sent) settle(body, nonce string, to Target) {
	reply, err := OpenReply(body, nonce, to)
	if err == nil && reply != "" {
		err = checkReply(reply, s.OpenID, to.XML)
	}
	s.Reply = reply
	switch {
	case err != nil:
		s.Outcome, s.Problem = BadReply, err.Error()
	case reply != "":
		s.Outcome = Replied
	default:
		s.Outcome = Acknowledged
	}
}

// attempt makes one request: a POST if it has a body. It follows no redirect.
func (c *Console) attempt(ctx context.Context, address string, r Request) (Attempt, string) {
	began := time.Now()
	made, body, err := c.send(ctx, address, r)
	made.Took = time.Since(began).Round(time.Millisecond).String()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		made.Problem = "no response within five seconds"
	case err != nil:
		made.Problem = err.Error()
	case made.Status != http.StatusOK:
		made.Problem = "the status is not 200"
	case len(body) > maxResponse:
		made.Problem = fmt.Sprintf("the response is longer than %d bytes", maxResponse)
	}
	return made, body
}

func (c *Console) send(ctx context.Context, address string, r Request) (made Attempt, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	to, err := url.Parse(address)
	if err != nil {
		return made, "", err
	}
	query := to.Query()
	maps.Copy(query, r.Query)
	to.RawQuery = query.Encode()
	method, contentType := http.MethodGet, ""
	if r.Body != nil {
		method, contentType = http.MethodPost, "application/json"
		if strings.HasPrefix(string(r.Body), "<") {
			contentType = "text/xml"
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(string(r.Body)))
	if err != nil {
		return made, "", err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("User-Agent", "Mozilla/4.0")
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return made, "", err
	}
	defer func() { _ = response.Body.Close() }()
	made.Status = response.StatusCode
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	return made, string(text), err
}

// target is a configuration as the functions of this package take it.
func target(appid string, push wechatsim.Push) Target {
	to := Target{Token: push.Token, XML: push.Format == "xml", Receiver: appid}
	if push.Mode != "plain" {
		to.EncodingAESKey, to.Compatible = push.EncodingAESKey, push.Mode == "compatible"
	}
	return to
}

// wait waits for d. It returns false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
