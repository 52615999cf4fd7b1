//go:build unix

package transport

import (
	"errors"
	"syscall"
)

// canCheck: an idle connection can be checked before it is used.
const canCheck = true

// watch prepares [conn.open]. A connection that cannot be checked is used once.
func (c *conn) watch() {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	var buffer [1]byte
	c.raw = raw
	c.readable = func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), buffer[:])
		c.isOpen = errors.Is(err, syscall.EAGAIN)
		return true // do not wait
	}
}

// open reports whether the upstream has neither closed an idle connection nor sent anything on
// it, as database drivers check theirs. A request on a closed connection would fail, and
// unsolicited data of the upstream would be read as the response to the next request, which may
// be another user's.
func (c *conn) open() bool {
	c.isOpen = false
	return c.raw.Read(c.readable) == nil && c.isOpen
}
