package garbage

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

// TestPercent: a small heap may grow by much, and a large one as Go lets it grow.
func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 300, 1: 300, 12 << 20: 300, 16 << 20: 300, 24 << 20: 200, 48 << 20: 100, 64 << 20: 100, 8 << 30: 100} {
		if got := percentOf(live); got != want {
			t.Errorf("%d MiB in use: %d %%, want %d %%", live>>20, got, want)
		}
	}
}

// TestTune: the environment has the last word.
func TestTune(t *testing.T) {
	const before = 123
	for _, gogc := range []string{"50", "off"} {
		t.Setenv("GOGC", gogc)
		original := debug.SetGCPercent(before) // as the Go runtime would have read it
		Tune()
		if got := debug.SetGCPercent(original); got != before {
			t.Errorf("GOGC=%q: %d %%, want %d %%", gogc, got, before)
		}
	}
}

// TestFollowsHeap: the percentage falls when the heap in use grows, and rises again.
func TestFollowsHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	Tune()
	live := make([]byte, 8*growth)
	waitForPercent(minPercent)
	runtime.KeepAlive(live)
	waitForPercent(maxPercent) // of the little that the tests use
}

// waitForPercent collects garbage until the cleanup has run that sets the percentage.
func waitForPercent(want uint64) {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for sample[0].Value.Kind() == metrics.KindBad || sample[0].Value.Uint64() != want {
		runtime.GC()
		runtime.Gosched()
		metrics.Read(sample)
	}
}
