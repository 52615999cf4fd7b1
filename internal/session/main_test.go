package session_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a store's goroutine outlives its tests.
func TestMain(m *testing.M) {
	// Those of rueidis end by themselves, some seconds after its client of a Cluster
	// was closed: one sleeps before it asks who has the slots, one before it closes
	// the connections of nodes that are gone.
	const asks, closes = "github.com/redis/rueidis.(*call).DelayDo.func1", "github.com/redis/rueidis.(*clusterClient)._refresh.func2"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(asks), goleak.IgnoreAnyFunction(closes), goleak.Cleanup(func(code int) {
		if sharedServer != nil {
			sharedServer.stop()
			_ = os.RemoveAll(sharedServer.dir)
		}
		os.Exit(code)
	}))
}
