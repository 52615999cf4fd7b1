package transport

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// A conn is a connection to an upstream. One request at a time uses it; in between, it is in
// the [pool].
type conn struct {
	net.Conn
	host string // its key in the pool

	end    func()        // closes it, at once and from any goroutine
	used   bool          // a response was read on it
	reader *bufio.Reader // nil in the pool: idle connections need no buffer
	limit  int64         // how many bytes may still be read
	sent   int64         // bytes written of the current request

	since    time.Time     // the connection is idle
	keep     time.Duration // how long the upstream keeps it open; 0 if unknown
	raw      syscall.RawConn
	readable func(fd uintptr) bool // see open
	isOpen   bool
}

var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

func newConn(dialed net.Conn, host string) *conn {
	c := &conn{Conn: dialed, host: host, end: func() { _ = dialed.Close() }}
	c.watch()
	c.acquire()
	return c
}

// acquire prepares an idle connection for a request.
func (c *conn) acquire() {
	c.reader = readers.Get().(*bufio.Reader)
	c.reader.Reset(c)
}

// release returns the buffer to its pool. It reports whether the connection can be used again:
// not if bytes follow the response. They may be a second response, which would poison the next
// request.
func (c *conn) release() bool {
	reader := c.reader
	if c.raw == nil || reader.Buffered() > 0 {
		return false
	}
	c.reader, c.used = nil, true
	reader.Reset(nil)
	readers.Put(reader)
	return true
}

// Read reads at most as many bytes as the limit allows.
func (c *conn) Read(p []byte) (int, error) {
	if c.limit <= 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > c.limit {
		p = p[:c.limit]
	}
	n, err := c.Conn.Read(p)
	c.limit -= int64(n)
	return n, err
}

// Write counts the bytes that were sent.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent += int64(n)
	return n, err
}

// errTooLong means that the headers of a response exceed the limit.
var errTooLong = errors.New("read limit reached")
