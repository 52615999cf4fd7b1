package playground

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// actionTimeout bounds an action: longer than the gateway waits for a WeChat that does not
// respond.
const actionTimeout = 30 * time.Second

// reply is a response that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// call is a request to send and to record.
type call struct {
	from   Party
	to     Party // default Gateway
	client *http.Client
	method string
	url    string
	header http.Header // names are sent as they are spelled
	body   string
	socket string // Unix socket of the admin API, to show
	stream bool   // the response does not end
}

// request returns the call as a request.
func (c call) request(ctx context.Context) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	maps.Copy(request.Header, c.header)
	return request, nil
}

// upgraded returns the call with the headers of a WebSocket's handshake, as a command sends it.
func (c call) upgraded() call {
	c.header = maps.Clone(c.header)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "d3hnYXRlIHBsYXlncm91bg==",
	} {
		c.header[name] = []string{value}
	}
	return c
}

// exchange sends a request to the gateway and records it and its response.
func (p *Playground) exchange(ctx context.Context, a *action, c call) (reply, error) {
	hop := p.startHop(a, c)
	request, err := c.request(hop.trace(ctx))
	if err != nil {
		return reply{}, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return reply{}, hop.failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return reply{}, hop.failed(err)
	}
	hop.responded(response, body)
	return reply{response.StatusCode, response.Header, string(body)}, nil
}

// hop is a request of the phone, of a browser or of the operator that is under way.
type hop struct {
	playground *Playground
	action     *action
	call       call
	began      time.Time
	number     int64
	once       sync.Once
	mu         sync.Mutex
	sent       http.Header
}

func (p *Playground) startHop(a *action, c call) *hop {
	number, _ := p.recorder.hop()
	c.to = cmp.Or(c.to, Gateway)
	return &hop{playground: p, action: a, call: c, began: time.Now(), number: number, sent: http.Header{}}
}

// trace returns a context that records the request as it is sent, with what net/http adds.
// It is recorded before its first byte leaves, and so before what it causes.
func (h *hop) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(name string, values []string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sent[name] = values
		},
		WroteHeaders: h.leave,
	})
}

// leave records the request, once.
func (h *hop) leave() {
	h.once.Do(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		recorder := h.playground.recorder
		sent := describe.WithoutCookies(h.sent)
		if h.call.from != Operator {
			recorder.clientSent(sent)
		}
		address, _, _ := strings.Cut(h.call.url, "#") // no request has the rest
		_, path, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
		recorder.message(message{
			Action: h.action.ID, Hop: h.number, From: h.call.from, To: h.call.to, Line: h.call.method + " /" + path,
			Headers: describe.Listed(sent), Body: describe.Shown([]byte(h.call.body)), Token: describe.Bearer(h.sent),
		})
	})
}

// refusal reads the body of a response that is no stream.
func refusal(response *http.Response) []byte {
	if response.StatusCode < http.StatusBadRequest {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxBody)) // what came is shown
	return body
}

// responded records the response.
func (h *hop) responded(response *http.Response, body []byte) {
	code := ""
	if response.StatusCode >= http.StatusBadRequest {
		code = describe.CodeOf(string(body))
	}
	elapsed := millis(time.Since(h.began))
	h.action.Status, h.action.Code, h.action.Millis = response.StatusCode, code, elapsed
	h.playground.recorder.message(message{
		Action: h.action.ID, Hop: h.number, From: h.call.to, To: h.call.from, Reply: true, Line: describe.StatusLine(response.StatusCode, code),
		Status: response.StatusCode, Code: code, Millis: elapsed, Headers: describe.Listed(describe.WithoutCookies(response.Header)),
		Body: describe.Readable(response.Header, body), Token: describe.Issued(string(body)),
	})
	if h.call.from != Operator && h.call.to == Gateway {
		h.playground.sample(h.action)
	}
}

// failed records that there was no response.
func (h *hop) failed(err error) error {
	h.leave()
	h.playground.recorder.message(message{
		Action: h.action.ID, Hop: h.number, From: h.call.to, To: h.call.from, Reply: true, Line: "no response", Millis: millis(time.Since(h.began)), Headers: []describe.Header{},
	})
	return fmt.Errorf("calling %s: %w", h.call.to, err)
}

// errRefused is an action that the simulator or the admin API refused.
var errRefused = errors.New("refused")

// control calls the management side of the simulator, as the phone's hardware: its buttons
// and its clock. It is no hop.
func (p *Playground) control(ctx context.Context, method, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.config.Management+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", fmt.Errorf("calling the simulator: %w", err)
	}
	response, err := p.phone.Do(request)
	if err != nil {
		return "", fmt.Errorf("calling the simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return "", fmt.Errorf("calling the simulator: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return "", fmt.Errorf("%w by the simulator: %s", errRefused, strings.TrimSpace(string(text)))
	}
	return string(text), nil
}
