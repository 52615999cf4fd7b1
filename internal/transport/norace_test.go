//go:build !race

package transport_test

// maxAllocs is what a request may allocate: the response of net/http with its headers, its
// body, and the wait for the end of the request's context.
const maxAllocs = 11
