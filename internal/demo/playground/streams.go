package playground

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/wxgate/wxgate/internal/demo/service"
)

// The kinds of streams.
const (
	webSocket   = "websocket"
	eventStream = "events"
)

var streamKinds = []string{webSocket, eventStream}

// streamPaths are where the upstream serves them.
var streamPaths = map[string]string{webSocket: service.SocketPath, eventStream: service.EventsPath}

// stream is an open response that the phone reads. One of each kind may be open.
type stream struct {
	Kind     string `json:"kind"`
	App      string `json:"app"`
	User     string `json:"user"`
	Open     bool   `json:"open"`
	Messages int    `json:"messages"`
	Last     string `json:"last,omitempty"`
	Reason   string `json:"reason,omitempty"` // why it ended
	HungUp   bool   `json:"hung_up"`          // the phone ended it

	cancel context.CancelFunc
}

// errStreamOpen is a second stream of a kind.
var errStreamOpen = errors.New("this stream is open already; close it first")

// open opens a stream, which goes on after the action.
func (p *Playground) open(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	if err := oneOf("kind", c.Kind, streamKinds); err != nil {
		return err
	}
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &stream{Kind: c.Kind, App: account.App, User: account.User, cancel: cancel}
	if err := p.claim(s); err != nil {
		cancel()
		return err
	}
	request := p.request(account, http.MethodGet, streamPaths[c.Kind], "").forge(c.Forge).authorize(account.access)
	request.stream = true
	stop := context.AfterFunc(ctx, cancel) // a response that does not begin ends with the action
	var read func() error
	if c.Kind == webSocket {
		read, err = p.dial(streamCtx, a, request, s)
	} else {
		read, err = p.listen(streamCtx, a, request, s)
	}
	stop()
	if read == nil {
		cancel()
		p.release(s)
		return err
	}
	p.update(func() { s.Open = true })
	go func() {
		defer p.running.Done()
		defer cancel()
		err := read()
		p.update(func() { s.Open, s.Reason = false, ended(err) })
		p.changed()
	}()
	return nil
}

// claim takes the place of a stream that has ended.
func (p *Playground) claim(s *stream) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.streams[s.Kind]; p.closed || old != nil && old.Open {
		return errStreamOpen
	}
	p.streams[s.Kind] = s
	p.running.Add(1)
	return nil
}

// release gives it back: the stream did not begin.
func (p *Playground) release(s *stream) {
	p.mu.Lock()
	delete(p.streams, s.Kind)
	p.mu.Unlock()
	p.running.Done()
}

// dial opens a WebSocket. The function that it returns reads it; nil if it was refused.
func (p *Playground) dial(ctx context.Context, a *action, c call, s *stream) (func() error, error) {
	a.Curl = curl(c.upgraded())
	hop := p.startHop(a, c)
	conn, response, err := websocket.Dial(hop.trace(ctx), c.url, &websocket.DialOptions{HTTPClient: c.client, HTTPHeader: c.header}) //nolint:bodyclose // of a refusal it is a copy, else it is conn's
	if response == nil {
		return nil, hop.failed(err)
	}
	hop.responded(response, refusal(response))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // the gateway refused it, which is recorded
	}
	return func() error {
		defer func() { _ = conn.CloseNow() }()
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				return err
			}
			p.received(s, string(text))
		}
	}, nil
}

// listen opens an event stream. The function that it returns reads it; nil if it was refused.
func (p *Playground) listen(ctx context.Context, a *action, c call, s *stream) (func() error, error) {
	c.header["Accept"] = []string{"text/event-stream"}
	a.Curl = curl(c)
	hop := p.startHop(a, c)
	request, err := c.request(hop.trace(ctx))
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, hop.failed(err)
	}
	if response.StatusCode != http.StatusOK {
		defer func() { _ = response.Body.Close() }()
		hop.responded(response, refusal(response))
		return nil, nil //nolint:nilnil // the gateway refused it, which is recorded
	}
	hop.responded(response, nil)
	return func() error {
		defer func() { _ = response.Body.Close() }()
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				p.received(s, text)
			}
		}
		return lines.Err()
	}, nil
}

// received counts a message.
func (p *Playground) received(s *stream, text string) {
	p.update(func() { s.Messages++; s.Last = text })
	p.changed()
}

// hangUp ends a stream, as a user who leaves the page of a mini program.
func (p *Playground) hangUp(_ context.Context, _ *action, c command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[c.Kind]; s != nil && s.Open {
		s.HungUp = true
		s.cancel()
	}
	return nil
}

// ended says why a stream ended, in the words of the protocol.
func ended(err error) string {
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return strings.TrimSpace(fmt.Sprintf("%d %s", closed.Code, closed.Reason))
	case errors.Is(err, context.Canceled):
		return "closed by the phone"
	default:
		return "connection closed"
	}
}
