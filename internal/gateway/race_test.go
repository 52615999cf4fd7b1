//go:build race

package gateway

// maxAllocs is more than without the race detector, which keeps values off the stack.
const maxAllocs = 5
