package memory_test

import (
	"testing"

	"testing/synctest"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/session/sessiontest/counts"
	"github.com/wxgate/wxgate/internal/session/sessiontest/limits"
)

func TestMemory(t *testing.T) { sessiontest.Conform(t, openMemory) }

func TestMemoryCounts(t *testing.T) { counts.Conform(t, openMemory) }

func TestMemoryLimits(t *testing.T) { limits.Conform(t, openMemory) }

func TestModelMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in a bubble, waiting for replays takes no time
		c := sessiontest.NewClock()
		sessiontest.NewModelRun(t, c, openMemory(t, c), nil).Run(*sessiontest.ModelOperations)
	})
}

func openMemory(_ testing.TB, c *sessiontest.Clock) sessiontest.Store {
	m := memory.New(c.Now, session.Options{Now: c.Now})
	return sessiontest.Store{Store: m, Set: m.Revocations(), Sweep: m.Sweep, Count: m.Count, Gauge: m.Counts}
}
