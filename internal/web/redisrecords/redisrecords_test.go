package redisrecords_test

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/redis/redistest"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/web/recordstest"
	"github.com/wxgate/wxgate/internal/web/redisrecords"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	cfg := redistest.Database(t)
	recordstest.Conform(t, recordstest.Store{
		Open: func(t testing.TB) web.Records {
			conn, prefix := redistest.Connect(t, cfg)
			return redisrecords.New(conn, prefix, time.Now)
		},
		// Redis expires keys by its own clock, without a notice.
		Now: time.Now, Pass: func(d time.Duration) { <-time.After(d) },
	})
}

func TestModelScans(t *testing.T) {
	t.Parallel()
	cfg := redistest.Database(t)
	recordstest.ModelScans(t, recordstest.Store{
		Open: func(t testing.TB) web.Records {
			conn, prefix := redistest.Connect(t, cfg)
			return redisrecords.New(conn, prefix, time.Now)
		},
		Now: time.Now,
	}, 3000, true)
}

// TestExpiry: every record expires in Redis, even after a swap, and not later than requested.
// The machine's clock may be wrong.
func TestExpiry(t *testing.T) {
	t.Parallel()
	conn, prefix := redistest.Connect(t, redistest.Database(t))
	clock := new(recordstest.Clock) // of another year
	records := redisrecords.New(conn, prefix, clock.Now)
	id := recordstest.Store{Now: clock.Now}.Add(t, records, "a", "value", time.Minute)
	for _, next := range []string{"first", "second"} {
		value, err := records.Get(t.Context(), id)
		sessiontest.Must(t, err)
		sessiontest.Must(t, records.Swap(t.Context(), id, value, []byte(next)))
		left, err := conn.Do(t.Context(), conn.B().Pttl().Key(prefix+":{w-"+base64.RawURLEncoding.EncodeToString(id[:])+"}").Build()).AsInt64()
		if err != nil || left <= 0 || left > time.Minute.Milliseconds() {
			t.Errorf("swapped to %s: expires in %d ms, %v", next, left, err)
		}
	}
}

// TestDown: if Redis is down, or has no free memory, the store is unavailable.
func TestDown(t *testing.T) {
	t.Parallel()
	server := sessiontest.StartRedis(t)
	conn, prefix := redistest.Connect(t, redis.Config{Addresses: []string{server.Addr}})
	records := redisrecords.New(conn, prefix, time.Now)
	id := recordstest.Store{Now: time.Now}.Add(t, records, "a", "value", time.Hour)
	sessiontest.Must(t, conn.Do(t.Context(), conn.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", "1").Build()).Error())
	until := time.Now().Add(time.Hour)
	if err := records.Add(t.Context(), recordstest.ID("b"), []byte("value"), until); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("without memory: %v", err)
	}
	server.Stop()
	_, get := records.Get(t.Context(), id)
	for call, err := range map[string]error{
		"get": get, "swap": records.Swap(t.Context(), id, []byte("value"), nil), "add": records.Add(t.Context(), id, []byte("value"), until),
	} {
		if !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, web.ErrNoRecord) || errors.Is(err, web.ErrRecordExists) {
			t.Errorf("%s: %v, want ErrStoreUnavailable", call, err)
		}
	}
}
