package session_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a store's goroutine outlives its tests.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if sharedServer != nil {
			sharedServer.stop()
			_ = os.RemoveAll(sharedServer.dir)
		}
		os.Exit(code)
	}))
}
