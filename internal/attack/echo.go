package attack

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
	// echoIdle is how long a connection to the echo may say nothing: longer than
	// a run's pauses, so that a gateway's pool stays usable.
	echoIdle = 2 * time.Minute
	// maxConns bounds the echo's connections; a gateway's pool has far fewer.
	maxConns = 512
	// maxSeen is how many requests the echo remembers between two resets.
	maxSeen = 1000
	// tunnelProbe is how long an upgraded connection is read: the corpus sends
	// what it has at once.
	tunnelProbe = 2 * time.Second

	// markerHeader ties a request at the echo to the attack that caused it.
	markerHeader = "X-Attack"
	// markerPath does so for requests that were smuggled inside another.
	markerPath = "smuggled"
	// keysPath is where the attacker publishes keys of its own.
	keysPath = "/attacker-keys"
)

// Seen is one request as it reached the upstream, byte for byte.
type Seen struct {
	Method, Target, Proto string
	Lines                 []string // header lines, without their ends
	Trailer               []string // the same after the body
	Body                  string   // its beginning
	Upgrade               string   // the protocol that the echo switched to
	Malformed             bool     // the body's framing is broken, not merely cut short
}

// Echo is an upstream that writes down everything that reaches it, answers 200,
// and agrees to every upgrade.
type Echo struct {
	Addr string

	listener net.Listener
	keys     string // the attacker's JWKS
	wg       sync.WaitGroup

	mu      sync.Mutex
	seen    []*Seen
	busy    int // requests begun and not yet answered
	fetched bool
	conns   map[net.Conn]struct{}
}

// NewEcho listens at addr, which must be a loopback address.
func NewEcho(addr string) (*Echo, error) {
	if !isLoopback(addr) {
		return nil, fmt.Errorf("the echo upstream listens on loopback only, not on %s", addr)
	}
	l, err := net.Listen("tcp", addr) //nolint:noctx // a loopback listener opens at once or not at all
	if err != nil {
		return nil, fmt.Errorf("starting the echo upstream: %w", err)
	}
	e := &Echo{Addr: l.Addr().String(), listener: l, keys: attackerJWKS(), conns: make(map[net.Conn]struct{})}
	e.wg.Go(e.accept)
	return e, nil
}

// Close ends the echo and every connection to it.
func (e *Echo) Close() error {
	err := e.listener.Close()
	e.mu.Lock()
	for c := range e.conns {
		_ = c.Close() // its goroutine sees the error
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
		if !e.answerAll(c, in) {
			return
		}
	}
}

// answerAll answers the requests that have arrived. The echo is not at rest between
// two that came together: the second may be smuggled, and is waited for.
func (e *Echo) answerAll(c net.Conn, in *bufio.Reader) (again bool) {
	e.begin()
	defer e.end()
	for {
		again, err := e.answer(c, in)
		if err != nil || !again {
			return false
		}
		if in.Buffered() == 0 {
			return true
		}
	}
}

// answer reads one request and answers it; again says that the connection goes on.
func (e *Echo) answer(c net.Conn, in *bufio.Reader) (again bool, err error) {
	s, err := readHead(in)
	if err != nil {
		return false, err
	}
	e.record(s)
	switch {
	case strings.HasPrefix(s.Target, keysPath):
		e.mu.Lock()
		e.fetched = true
		e.mu.Unlock()
		return false, e.write(c, "200 OK", "application/json", e.keys, s.Method)
	case s.first("Upgrade") != "":
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

// tunnel agrees to whatever protocol was asked for, and says hello in it, which
// no HTTP rule of the gateway sees.
func (e *Echo) tunnel(c net.Conn, in *bufio.Reader, s *Seen) error {
	kind := s.first("Upgrade")
	accept := ""
	if key := s.first("Sec-WebSocket-Key"); key != "" {
		accept = "Sec-WebSocket-Accept: " + webSocketAccept(key) + "\r\n"
	}
	e.mu.Lock()
	s.Upgrade = kind
	e.mu.Unlock()
	if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%sX-Attack-Echo: yes\r\n\r\n", kind, accept); err != nil {
		return err
	}
	e.end() // what follows is not the answer any more
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

// reset forgets everything.
func (e *Echo) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen, e.fetched = nil, false
}

// take returns copies of the requests that carry the marker, and whether the
// attacker's keys were fetched.
func (e *Echo) take(marker string) (seen []*Seen, fetched bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.seen {
		if s.first(markerHeader) == marker || strings.Contains(s.Target, markerPath+marker) {
			copied := *s
			seen = append(seen, &copied)
		}
	}
	return seen, e.fetched
}

// settle waits until the echo has answered what it was asked, and a little more,
// since a smuggled request arrives after the answer to its carrier.
func (e *Echo) settle(ctx context.Context, grace time.Duration) error {
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
			return errors.Join(errCut, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
	return nil // a tunnel that is still open has been recorded
}
