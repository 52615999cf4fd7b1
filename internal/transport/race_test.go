//go:build race

package transport_test

// maxAllocs is higher than without the race detector, which makes a sync.Pool drop values.
const maxAllocs = 16
