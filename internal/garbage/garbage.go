// Package garbage sets how often the process collects garbage.
//
// The heap of a gateway in use is some 15 MiB, and each request leaves some 20 KiB of
// garbage. With Go's own percentage of 100 it is collected many times a second under load;
// with 300, a tenth of the CPU time of a request is saved. But a large heap, such as that
// of a full token cache, must not grow to four times its size: it grows by 48 MiB, or as
// Go would let it grow.
//
// Near Go's memory limit, which Caddy sets to 90 % of that of the container or of the
// machine, the collector runs more often, whatever the percentage.
package garbage

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	growth     = 48 << 20 // bytes
	minPercent = 100
	maxPercent = 300
)

// Tune sets how often garbage is collected, unless GOGC does, for as long as the process
// runs.
func Tune() {
	if os.Getenv("GOGC") == "" {
		adjust()
	}
}

// adjust sets the percentage for the heap in use, and again after each collection: the
// runtime then runs the cleanup of a value that nothing refers to.
func adjust() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	debug.SetGCPercent(percentOf(sample[0].Value.Uint64()))
	collected := new([32]byte) // too large for the runtime to put it together with others
	runtime.AddCleanup(collected, func(struct{}) { adjust() }, struct{}{})
}

// percentOf returns the percentage for a heap of which so many bytes are in use.
func percentOf(live uint64) int {
	percent := growth * 100 / max(live, 1)
	return int(min(max(percent, minPercent), maxPercent))
}
