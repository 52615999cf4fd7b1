package main

import (
	"runtime/debug"
	"testing"
)

// TestSetGCPercent: the environment has the last word.
func TestSetGCPercent(t *testing.T) {
	const before = 123
	for _, test := range []struct {
		gogc string
		want int
	}{{"", gcPercent}, {"50", before}, {"off", before}} {
		t.Setenv("GOGC", test.gogc)
		original := debug.SetGCPercent(before) // as the Go runtime would have read it
		setGCPercent()
		if got := debug.SetGCPercent(original); got != test.want {
			t.Errorf("GOGC=%q: %d %%, want %d %%", test.gogc, got, test.want)
		}
	}
}
