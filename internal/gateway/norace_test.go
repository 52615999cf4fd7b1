//go:build !race

package gateway

// maxAllocs is what a request with a cached token may allocate in the gateway: the values
// of its headers, the writer that watches the response, and a request with its context.
// Caddy's placeholders take one more.
const maxAllocs = 3
