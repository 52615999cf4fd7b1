package sessiontest_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) {
	// Two goroutines of rueidis end some seconds after its Cluster client was closed: one
	// sleeps before it reads the slots, the other before it closes the connections of removed
	// nodes.
	const asks, closes = "github.com/redis/rueidis.(*call).DelayDo.func1", "github.com/redis/rueidis.(*clusterClient)._refresh.func2"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(asks), goleak.IgnoreAnyFunction(closes), goleak.Cleanup(func(code int) {
		sessiontest.StopSharedRedis()
		os.Exit(code)
	}))
}
