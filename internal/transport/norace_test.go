//go:build !race

package transport_test

// maxAllocs is the number of allocations of a request: the response of net/http with its
// headers, its body, and the wait for the end of the request's context.
const maxAllocs = 11
