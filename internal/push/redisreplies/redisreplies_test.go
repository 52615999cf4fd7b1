package redisreplies_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/push/redisreplies"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

var _ push.Shared = (*redisreplies.Store)(nil)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		sessiontest.StopSharedRedis()
		os.Exit(code)
	}))
}

// TestStore: the first reply to a message is stored, with its expiry, below the prefix.
func TestStore(t *testing.T) {
	addr, n := sessiontest.SharedRedis(t)
	client, err := redis.Open(t.Context(), redis.Config{Addresses: []string{addr}, Database: n}, session.Options{OnError: func(err error) { t.Log(err) }})
	sessiontest.Must(t, err)
	conn, prefix := client.Connection()
	s := redisreplies.New(conn, prefix)
	if got, err := s.Kept(t.Context(), "ID1"); got != nil || err != nil {
		t.Errorf("before: %q, %v", got, err)
	}
	for _, text := range []string{"\x00first\xff", "second"} {
		sessiontest.Must(t, s.Keep(t.Context(), "ID1", []byte(text), time.Minute))
	}
	if got, err := s.Kept(t.Context(), "ID1"); string(got) != "\x00first\xff" || err != nil {
		t.Errorf("kept %q, %v", got, err)
	}
	if got, err := s.Kept(t.Context(), "ID2"); got != nil || err != nil {
		t.Errorf("of another message: %q, %v", got, err)
	}
	left, err := conn.Do(t.Context(), conn.B().Pttl().Key(prefix+":{reply-ID1}").Build()).AsInt64()
	if err != nil || left <= 0 || left > time.Minute.Milliseconds() {
		t.Errorf("it expires in %d ms, %v", left, err)
	}
	sessiontest.Must(t, client.Close())
	if _, err := s.Kept(t.Context(), "ID1"); err == nil {
		t.Error("no error after the end")
	}
	if err := s.Keep(t.Context(), "ID1", nil, time.Minute); err == nil {
		t.Error("no error after the end")
	}
}
