//go:build !race

package gateway

// maxAllocs is the number of allocations of a request with a cached token in the gateway: the
// values of its headers, the writer that watches the response, and a request with its context.
// Caddy's placeholders need one more.
const maxAllocs = 3
