// Package wire sends requests byte by byte and frame by frame over HTTP/1.1, HTTP/2 and HTTP/3,
// also malformed ones, and serves the echo that records requests.
package wire

// Protocol is a version of HTTP.
type Protocol string

// The protocols that attacks are sent over.
const (
	H1 Protocol = "h1"
	H2 Protocol = "h2"
	H3 Protocol = "h3"
)
