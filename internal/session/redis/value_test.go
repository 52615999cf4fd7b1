package redis_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestRedisValue(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	two := replicas(t, c, 2, redis.Config{})
	one, other := two[0].Value("keys"), two[1].Value("keys")
	load := func(v *redis.Value) string {
		t.Helper()
		value, err := v.Load(t.Context())
		sessiontest.Must(t, err)
		return string(value)
	}
	if value, err := one.Load(t.Context()); err != nil || value != nil {
		t.Fatalf("got %q, %v before the first write", value, err)
	}
	sessiontest.Must(t, one.Update(t.Context(), func([]byte) ([]byte, error) { return nil, nil }))
	failure := errors.New("no change")
	if err := one.Update(t.Context(), func([]byte) ([]byte, error) { return []byte("x"), failure }); !errors.Is(err, failure) {
		t.Fatalf("got %v, want the error of the change", err)
	}
	if got := load(other); got != "" {
		t.Fatalf("%q was written", got)
	}
	sessiontest.Together(sessiontest.AtOnce, func(i int) {
		err := two[i%2].Value("keys").Update(t.Context(), func(old []byte) ([]byte, error) {
			n, _ := strconv.Atoi(string(old))
			return []byte(strconv.Itoa(n + 1)), nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got := load(one); got != strconv.Itoa(sessiontest.AtOnce) || load(other) != got {
		t.Fatalf("%s updates of %d were kept", got, sessiontest.AtOnce)
	}
	raw := []byte{0, 255, '\r', '\n', 128}
	sessiontest.Must(t, one.Put(t.Context(), raw, time.Minute))
	if got, err := other.Load(t.Context()); err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("got %q, %v", got, err)
	}
	sessiontest.Must(t, one.Put(t.Context(), raw, time.Millisecond))
	eventually(t, "expired", func() bool { return load(other) == "" })
}

func TestRedisLease(t *testing.T) {
	t.Parallel()
	two := replicas(t, sessiontest.NewClock(), 2, redis.Config{})
	one, other := two[0].Value("token"), two[1].Value("token")
	lease := func(v *redis.Value, ttl time.Duration, want bool) func() {
		t.Helper()
		release, held, err := v.Lease(t.Context(), ttl)
		if err != nil || held != want {
			t.Fatalf("held %v, %v; want %v", held, err, want)
		}
		return release
	}
	release := lease(one, time.Minute, true)
	lease(other, time.Minute, false)() // does not release the holder's lease
	lease(other, time.Minute, false)
	release()
	late := lease(other, time.Millisecond, true)
	eventually(t, "the lease of a dead holder expires", func() bool {
		_, held, err := one.Lease(t.Context(), time.Minute)
		return err == nil && held
	})
	late()
	lease(other, time.Minute, false)
}

// TestRedisTake: all replicas share a limit: n at once, then one each per/n.
func TestRedisTake(t *testing.T) {
	t.Parallel()
	two := replicas(t, sessiontest.NewClock(), 2, redis.Config{})
	take := func(i int, limit, key string, n int, per time.Duration) time.Duration {
		t.Helper()
		wait, err := two[i%2].Take(t.Context(), limit, []byte(key), n, per)
		sessiontest.Must(t, err)
		return wait
	}
	for i := range 5 {
		if wait := take(i, "login", "198.51.100.7", 5, time.Hour); wait != 0 {
			t.Fatalf("the %d. of 5 has to wait %v", i+1, wait)
		}
	}
	if wait := take(0, "login", "198.51.100.7", 5, time.Hour); wait <= 11*time.Minute || wait > 12*time.Minute {
		t.Fatalf("the next is due in %v, want 12 minutes", wait)
	}
	for name, wait := range map[string]time.Duration{
		"another client": take(0, "login", "198.51.100.8", 5, time.Hour),
		"another limit":  take(1, "phone", "198.51.100.7", 5, time.Hour),
	} {
		if wait != 0 {
			t.Errorf("%s has to wait %v", name, wait)
		}
	}
	const each = 50 * time.Millisecond
	began := time.Now()
	taken := 0
	for time.Since(began) < 4*each {
		wait := take(taken, "fast", "x", 2, 2*each)
		if wait == 0 {
			taken++
			continue
		}
		<-time.After(wait)
	}
	if limit := 2 + int(time.Since(began)/each); taken < 4 || taken > limit {
		t.Fatalf("%d taken in %v, want 4 to %d", taken, time.Since(began), limit)
	}
	if _, err := two[0].Take(t.Context(), "login", nil, 0, time.Hour); err == nil {
		t.Fatal("a limit of zero allowed a request")
	}
}
