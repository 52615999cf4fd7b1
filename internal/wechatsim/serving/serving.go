// Package serving has what the listeners of the simulator share: limits, addresses, and their
// end.
package serving

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// HeaderTimeout ends a connection that sends no request.
	HeaderTimeout = 10 * time.Second

	// maxHeader is the longest header of a request, its URL included: more than any call
	// needs, because the simulator remembers thousands of requests.
	maxHeader = 16 << 10

	// closeGrace is how long Shutdown waits for requests that are being served.
	closeGrace = time.Second
)

// New returns a server with the limits of the simulator.
func New(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: HeaderTimeout, MaxHeaderBytes: maxHeader}
}

// Shutdown ends servers, and waits a moment for the requests that they serve.
func Shutdown(servers []*http.Server) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(ctx) != nil { // a client does not end its request
			err = errors.Join(err, server.Close())
		}
	}
	return err
}

// URL returns the URL of a listener for clients on this machine. An address such as
// 0.0.0.0 means all addresses, and is none to connect to.
func URL(addr string) string {
	if at, err := netip.ParseAddrPort(addr); err == nil && at.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return "http://" + addr
}

// IsLoopback reports whether host is localhost or a loopback address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
