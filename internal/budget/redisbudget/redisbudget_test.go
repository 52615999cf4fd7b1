package redisbudget_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/budget/budgettest"
	"github.com/wxgate/wxgate/internal/budget/redisbudget"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/redis/redistest"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestConformance(t *testing.T) {
	cfg := redistest.Database(t)
	budgettest.Conform(t, func(t testing.TB) budget.Store {
		conn, prefix := redistest.Connect(t, cfg)
		return redisbudget.New(conn, prefix)
	})
}

// TestWindows: a count of an earlier window, or of a wrong clock, is forgotten, and the count of
// the next window continues. Every count expires.
func TestWindows(t *testing.T) {
	conn, prefix := redistest.Connect(t, redistest.Database(t))
	s, per := redisbudget.New(conn, prefix), budgettest.Rate.Per
	begin := budgettest.Reserve(t, s, "a", true).Begin
	key := prefix + ":{b-a}"
	for _, row := range []struct {
		begin time.Time
		used  int // after one more call
	}{
		{begin, 3},
		{begin.Add(-per), 1},
		{begin.Add(per), 3},
		{begin.Add(2 * per), 1},
	} {
		hset := conn.B().Hset().Key(key).FieldValue().FieldValue("begin", strconv.FormatInt(row.begin.UnixMilli(), 10)).FieldValue("used", "2").Build()
		sessiontest.Must(t, conn.Do(t.Context(), hset).Error())
		if r := budgettest.Reserve(t, s, "a", true); r.Used != row.used {
			t.Errorf("a count of %v: %+v, want %d", row.begin, r, row.used)
		}
		left, err := conn.Do(t.Context(), conn.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil || left <= 0 || left > 4*per.Milliseconds() {
			t.Errorf("%v: expires in %d ms, %v", row.begin, left, err)
		}
	}
}

// TestDown: if Redis is down, or has no free memory, the store is unavailable.
func TestDown(t *testing.T) {
	server := sessiontest.StartRedis(t)
	conn, prefix := redistest.Connect(t, redis.Config{Addresses: []string{server.Addr}})
	s := redisbudget.New(conn, prefix)
	begin := budgettest.Reserve(t, s, "a", true).Begin
	sessiontest.Must(t, conn.Do(t.Context(), conn.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", "1").Build()).Error())
	if r, err := s.Reserve(t.Context(), "a", budgettest.Rate); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("without memory: %+v, %v", r, err)
	}
	server.Stop()
	_, reserve := s.Reserve(t.Context(), "a", budgettest.Rate)
	_, report := s.Report(t.Context(), "a", budgettest.Rate, begin)
	_, current := s.Current(t.Context(), "a", budgettest.Rate)
	for i, err := range []error{reserve, report, current, s.Return(t.Context(), "a", budgettest.Rate, begin)} {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
