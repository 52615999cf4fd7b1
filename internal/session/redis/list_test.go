package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestListAfterARestart: after a restart, SCAN returns keys in a different order, so the next
// page could miss sessions. The operator must start from the first page.
func TestListAfterARestart(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	r, _ := openWith(t, c, redis.Config{Addresses: []string{server.Addr}})
	store := storeOn(t, r, c)
	for range 30 {
		sessiontest.Begin(t, store, newUser(), c, "k")
	}
	q := auth.Query{Limit: 10}
	page, err := store.List(t.Context(), q)
	sessiontest.Must(t, err)
	q.Cursor = page.Next
	server.Stop()
	server.Start(t)
	eventually(t, "Redis is back", func() bool {
		_, err = store.List(t.Context(), q)
		return !errors.Is(err, auth.ErrStoreUnavailable)
	})
	if !errors.Is(err, auth.ErrInvalidCursor) || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("got %v, want ErrInvalidCursor with the reason", err)
	}
	q.Cursor = ""
	if _, err := store.List(t.Context(), q); err != nil {
		t.Errorf("from the first page: %v", err)
	}
}
