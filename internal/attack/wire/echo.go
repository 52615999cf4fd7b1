package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// echoIdle is how long a connection may be idle: longer than the pauses of a run, so
	// that the gateway's connections stay usable.
	echoIdle = 2 * time.Minute
	// maxConns bounds the connections to the echo; a gateway has far fewer.
	maxConns = 512
	// maxSeen is how many requests the echo records between two resets.
	maxSeen = 1000
	// tunnelProbe is how long an upgraded connection is read: the corpus sends all of its
	// data at once.
	tunnelProbe = 2 * time.Second

	// MarkerHeader ties a request at the echo to the attack that caused it.
	MarkerHeader = "X-Attack"
	// SmuggledPath does the same for requests that were smuggled inside another.
	SmuggledPath = "smuggled"
	// KeysPath is where the attacker publishes its keys.
	KeysPath = "/attacker-keys"
)

// Seen is one request as it reached the upstream, byte for byte.
type Seen struct {
	Method, Target, Proto string
	Lines                 []string // header lines, without their ends
	Trailer               []string // header lines after the body
	Body                  string   // its beginning
	Upgrade               string   // the protocol that the echo switched to
	Malformed             bool     // the body's framing is wrong, not only incomplete
}

// Echo is an upstream that records every request, responds with status 200, and accepts
// every upgrade.
type Echo struct {
	Addr string

	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex // guards all below
	keys    string     // the attacker's JWKS
	seen    []*Seen
	busy    int // requests that have no response yet
	fetched bool
	conns   map[net.Conn]struct{}
}

// NewEcho listens at addr, which must be a loopback address.
func NewEcho(addr string) (*Echo, error) {
	if !IsLoopback(addr) {
		return nil, fmt.Errorf("the echo upstream listens on loopback only, not on %s", addr)
	}
	l, err := net.Listen("tcp", addr) //nolint:noctx // a loopback listener opens at once or not at all
	if err != nil {
		return nil, fmt.Errorf("starting the echo upstream: %w", err)
	}
	e := &Echo{Addr: l.Addr().String(), listener: l, conns: make(map[net.Conn]struct{})}
	e.wg.Go(e.accept)
	return e, nil
}

// Publish sets the key set that the echo serves as the attacker's.
func (e *Echo) Publish(keySet string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = keySet
}

// Close ends the echo and every connection to it.
func (e *Echo) Close() error {
	err := e.listener.Close()
	e.mu.Lock()
	for c := range e.conns {
		_ = c.Close() // its goroutine gets the error
	}
	e.mu.Unlock()
	e.wg.Wait()
	return err
}

func (e *Echo) accept() {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			return // closed
		}
		e.mu.Lock()
		full := len(e.conns) >= maxConns
		if !full {
			e.conns[c] = struct{}{}
		}
		e.mu.Unlock()
		if full {
			_ = c.Close()
			continue
		}
		e.wg.Go(func() { e.serve(c) })
	}
}

func (e *Echo) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		e.mu.Lock()
		delete(e.conns, c)
		e.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		_ = c.SetDeadline(time.Now().Add(echoIdle))
		if _, err := in.Peek(1); err != nil {
			return
		}
		if !e.respondAll(c, in) {
			return
		}
	}
}

// respondAll responds to the requests that have arrived. The echo stays busy between two
// requests that came together: the second may be smuggled, and [Echo.Settle] waits for it.
func (e *Echo) respondAll(c net.Conn, in *bufio.Reader) (again bool) {
	e.begin()
	defer e.end()
	for {
		again, err := e.respond(c, in)
		if err != nil || !again {
			return false
		}
		if in.Buffered() == 0 {
			return true
		}
	}
}

// respond reads one request and responds; again reports that the connection stays open.
func (e *Echo) respond(c net.Conn, in *bufio.Reader) (again bool, err error) {
	s, err := readHead(in)
	if err != nil {
		return false, err
	}
	e.record(s)
	switch {
	case strings.HasPrefix(s.Target, KeysPath):
		e.mu.Lock()
		e.fetched = true
		keys := e.keys
		e.mu.Unlock()
		return false, e.write(c, "200 OK", "application/json", keys, s.Method)
	case s.First("Upgrade") != "":
		return false, e.tunnel(c, in, s)
	}
	body, trailer, err := readBody(in, s)
	e.mu.Lock()
	s.Body, s.Trailer, s.Malformed = body, trailer, errors.Is(err, errMalformed)
	e.mu.Unlock()
	if err != nil {
		return false, err
	}
	return true, e.write(c, "200 OK", "text/plain", "echo", s.Method)
}

func (e *Echo) write(c net.Conn, status, kind, body, method string) error {
	length := len(body)
	if method == "HEAD" {
		body = ""
	}
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Attack-Echo: yes\r\n\r\n%s", status, kind, length, body)
	return err
}

// tunnel accepts the requested protocol and reads the data sent in it, to which no HTTP rule of
// the gateway applies.
func (e *Echo) tunnel(c net.Conn, in *bufio.Reader, s *Seen) error {
	kind := s.First("Upgrade")
	accept := ""
	if key := s.First("Sec-WebSocket-Key"); key != "" {
		accept = "Sec-WebSocket-Accept: " + webSocketAccept(key) + "\r\n"
	}
	e.mu.Lock()
	s.Upgrade = kind
	e.mu.Unlock()
	if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%sX-Attack-Echo: yes\r\n\r\n", kind, accept); err != nil {
		return err
	}
	e.end() // the rest is not part of the response
	defer e.begin()
	_ = c.SetDeadline(time.Now().Add(tunnelProbe))
	_, err := io.CopyN(io.Discard, in, maxSeen)
	return err
}

func (e *Echo) record(s *Seen) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen) < maxSeen {
		e.seen = append(e.seen, s)
	}
}

func (e *Echo) begin() { e.mu.Lock(); e.busy++; e.mu.Unlock() }
func (e *Echo) end()   { e.mu.Lock(); e.busy--; e.mu.Unlock() }

// Reset removes all records.
func (e *Echo) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen, e.fetched = nil, false
}

// Take returns copies of the requests that carry the marker, and whether the
// attacker's keys were fetched.
func (e *Echo) Take(marker string) (seen []*Seen, fetched bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.seen {
		if s.First(MarkerHeader) == marker || strings.Contains(s.Target, SmuggledPath+marker) {
			copied := *s
			seen = append(seen, &copied)
		}
	}
	return seen, e.fetched
}

// Settle waits until the echo has responded to every request, and then for grace, since a
// smuggled request arrives after the response to the request that contains it.
func (e *Echo) Settle(ctx context.Context, grace time.Duration) error {
	const poll = 2 * time.Millisecond
	quiet := time.Now().Add(grace)
	giveUp := time.Now().Add(grace + tunnelProbe)
	for time.Now().Before(giveUp) {
		e.mu.Lock()
		busy := e.busy > 0
		e.mu.Unlock()
		if !busy && !time.Now().Before(quiet) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ErrCut, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
	return nil // a tunnel that is still open was recorded
}
