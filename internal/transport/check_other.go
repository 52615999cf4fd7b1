//go:build !unix

package transport

// canCheck: idle connections cannot be checked before they are used, so that net/http
// sends all requests.
const canCheck = false

func (c *conn) watch() {}

func (c *conn) open() bool { return false }
