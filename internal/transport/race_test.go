//go:build race

package transport_test

// maxAllocs is more than without the race detector, which has pools forget what they keep.
const maxAllocs = 16
