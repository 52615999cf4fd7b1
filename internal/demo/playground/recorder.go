package playground

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// Party is a lifeline of the sequence diagram.
type Party string

// The parties. The operator calls the admin API.
const (
	Phone    Party = "phone"
	Browser  Party = "browser"
	Operator Party = "operator"
	Gateway  Party = "gateway"
	WeChat   Party = "wechat"
	Upstream Party = "upstream"
)

const (
	// maxHistory is how many events a page that was just opened gets: about fifty actions.
	maxHistory = 400
	// maxQueued is how many events a page may be behind. A slower one is disconnected, and
	// gets the history when it connects again.
	maxQueued = 512
)

// message is one arrow of the diagram: a request or a response.
type message struct {
	Action  int64             `json:"action"` // 0: none of the page's, such as a token renewed ahead of time
	Hop     int64             `json:"hop"`    // the same for a request and its response
	From    Party             `json:"from"`
	To      Party             `json:"to"`
	Reply   bool              `json:"reply"`
	At      int64             `json:"at"` // ms since 1970
	Line    string            `json:"line"`
	Status  int               `json:"status,omitempty"` // of a response; 0 if there was none
	Code    string            `json:"code,omitempty"`   // of a refusal: the gateway's code, or WeChat's errcode
	Millis  float64           `json:"ms,omitempty"`     // of a response: since the request
	Headers []describe.Header `json:"headers"`
	Body    string            `json:"body,omitempty"`
	Token   *describe.Claims  `json:"token,omitempty"` // the access token in it, decoded
}

// action is what the page asked for: a group of arrows.
type action struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Args   command `json:"args"`
	At     int64   `json:"at"` // ms since 1970
	Done   bool    `json:"done"`
	Status int     `json:"status,omitempty"` // of the last response to the phone, the browser or the operator
	Code   string  `json:"code,omitempty"`
	Curl   string  `json:"curl,omitempty"`  // what does the same in a shell
	Error  string  `json:"error,omitempty"` // why it could not be carried out
	Result any     `json:"result,omitempty"`
	Millis float64 `json:"ms"`
}

// event is what pages receive.
type event struct {
	name string // the event of server-sent events: action, message or state
	data []byte
}

// recorder numbers what happens and sends it to the pages. One action runs at a time, so
// that a request at the simulator or at the upstream belongs to the current one.
type recorder struct {
	mu      sync.Mutex
	actions int64
	hops    int64
	current int64       // the action that runs; 0 if none
	sent    http.Header // what the phone or the browser sent last in it
	history []event
	pages   map[chan event]struct{}
	closed  bool
}

func newRecorder() *recorder { return &recorder{pages: map[chan event]struct{}{}} }

// begin starts an action.
func (c *recorder) begin(name string, args command) *action {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.actions++
	c.current, c.sent = c.actions, nil
	a := &action{ID: c.actions, Name: name, Args: args, At: time.Now().UnixMilli()}
	c.publish("action", a, true)
	return a
}

// end publishes an action with its outcome.
func (c *recorder) end(a *action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.Done = true
	c.current, c.sent = 0, nil
	c.publish("action", a, true)
}

// mute keeps what follows in the current action out of the diagram.
func (c *recorder) mute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = 0
}

// hop returns the number of a new hop and the action that it belongs to.
func (c *recorder) hop() (hop, current int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hops++
	return c.hops, c.current
}

// message publishes an arrow.
func (c *recorder) message(m message) {
	m.At = time.Now().UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publish("message", m, m.Action != 0)
}

// messages returns the messages of an action, in their order.
func (c *recorder) messages(action int64) (found []message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.history {
		var m message
		if e.name == "message" && json.Unmarshal(e.data, &m) == nil && m.Action == action {
			found = append(found, m)
		}
	}
	return found
}

// clientSent notes what the phone or a browser sent, to compare with what the upstream gets.
func (c *recorder) clientSent(h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = h
}

// lastSent returns what the phone or a browser sent last in the current action, nil if that is
// nothing.
func (c *recorder) lastSent() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// state publishes the state, which is no part of the history: a page gets the current one
// when it opens.
func (c *recorder) state(s any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publish("state", s, false)
}

// publish is called with the lock held.
func (c *recorder) publish(name string, v any, keep bool) {
	data, err := json.Marshal(v)
	if err != nil {
		return // not reached: all of it is strings and numbers
	}
	e := event{name, data}
	if keep {
		c.history = append(c.history, e)
		if len(c.history) > maxHistory {
			c.history = append([]event(nil), c.history[len(c.history)-maxHistory:]...)
		}
	}
	for page := range c.pages {
		select {
		case page <- e:
		default:
			c.leave(page)
		}
	}
}

// subscribe returns the history and a channel of what comes next, which is closed when the
// page is too slow or the recorder is closed. Call the function when the page is gone.
func (c *recorder) subscribe() ([]event, <-chan event, func()) {
	page := make(chan event, maxQueued)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages[page] = struct{}{}
	if c.closed {
		c.leave(page)
	}
	return append([]event(nil), c.history...), page, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leave(page)
	}
}

// leave is called with the lock held.
func (c *recorder) leave(page chan event) {
	if _, ok := c.pages[page]; ok {
		delete(c.pages, page)
		close(page)
	}
}

// clear forgets the history.
func (c *recorder) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = nil
}

// close disconnects every page, now and later.
func (c *recorder) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for page := range c.pages {
		c.leave(page)
	}
}
