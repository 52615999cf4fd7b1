package redis_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/session/sessiontest/limits"
)

func TestRedis(t *testing.T) { sessiontest.Conform(t, openStore) }

func TestRedisLimits(t *testing.T) { limits.Conform(t, openStore) }

// TestModelRedis: after a crash of the gateway, another gateway continues with the data in
// Redis. Replays wait in real time, so there are fewer operations.
func TestModelRedis(t *testing.T) {
	t.Parallel()
	const share = 8 // of the operations
	c := sessiontest.NewClock()
	client, cfg := openWith(t, c, redis.Config{})
	admin := client
	c.Moved = func(d time.Duration) { admin.age(d, 0) }
	r := sessiontest.NewModelRun(t, c, storeOn(t, client, c), nil)
	r.FreesExpired()
	r.Crash = func() sessiontest.Store {
		sessiontest.Must(t, client.Close())
		client, _ = openWith(t, c, cfg)
		return storeOn(t, client, c)
	}
	r.Run(*sessiontest.ModelOperations / share)
}
