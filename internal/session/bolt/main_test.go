package bolt_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/session/bolt"
)

// TestMain fails when a goroutine outlives the tests. Tests merge more often than a gateway;
// benchmarks do not.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		bolt.SmallSteps()
	}
	goleak.VerifyTestMain(m)
}
