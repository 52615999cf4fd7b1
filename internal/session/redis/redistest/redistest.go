// Package redistest connects the tests of other packages that store data in Redis.
package redistest

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// Main runs the tests of a package, checks that they leave no goroutine, and stops the shared
// server.
func Main(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		sessiontest.StopSharedRedis()
		os.Exit(code) //nolint:revive // the end of TestMain
	}))
}

// Database returns an unused database of the shared server.
func Database(t testing.TB) redis.Config {
	t.Helper()
	addr, n := sessiontest.SharedRedis(t)
	return redis.Config{Addresses: []string{addr}, Database: n}
}

// Connect opens a connection, like that of one machine, until the test ends, and returns the
// prefix of its keys.
func Connect(t testing.TB, cfg redis.Config) (*connection.Connection, string) {
	t.Helper()
	client, err := redis.Open(t.Context(), cfg, session.Options{OnError: func(err error) { t.Log(err) }})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, client.Close()) })
	return client.Connection()
}
