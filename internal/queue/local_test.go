package queue_test

import (
	"testing"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/queuetest"
)

func TestLocal(t *testing.T) {
	queuetest.Conform(t, func(_ testing.TB, limits queue.Limits) queue.Store {
		return queue.NewLocal(limits, nil)
	})
}
