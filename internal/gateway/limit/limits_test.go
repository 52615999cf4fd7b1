package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	l := NewLimiter[string](Rate{2, time.Minute})
	for i, step := range []struct {
		after time.Duration // since start
		key   string
		wait  time.Duration // 0 when it passes
	}{
		{0, "a", 0},
		{0, "a", 0},
		{0, "a", 30 * time.Second},
		{0, "b", 0},
		{29 * time.Second, "a", time.Second},
		{30 * time.Second, "a", 0},
		{31 * time.Second, "a", 29 * time.Second},
		{61 * time.Second, "a", 0},                // after the period
		{62 * time.Second, "a", 28 * time.Second}, // the refused request did not refill the allowance
		{10 * time.Minute, "a", 0},                // full again, long after
		{10 * time.Minute, "a", 0},
		{10 * time.Minute, "a", 30 * time.Second},
	} {
		err := l.Take(step.key, start.Add(step.after))
		var p *problem.Problem
		switch {
		case step.wait == 0 && err != nil:
			t.Errorf("step %d: refused: %v", i, err)
		case step.wait > 0 && (!errors.Is(err, auth.ErrRateLimited) || !errors.As(err, &p) || p.RetryAfter.Round(time.Millisecond) != step.wait):
			t.Errorf("step %d: got %v, want to wait %v", i, err, step.wait)
		}
	}
}

// TestLimiterIsBounded floods a limiter with keys. Its memory is bounded, new keys are
// admitted, and a key that used up its allowance is not forgotten.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := NewLimiter[int](Rate{2, 48 * time.Minute})
	for range 2 {
		if err := l.Take(-1, now); err != nil {
			t.Fatal(err)
		}
	}
	for key := range 2 * maxBuckets {
		if err := l.Take(key, now.Add(time.Duration(key))); err != nil {
			t.Fatalf("key %d: %v", key, err)
		}
	}
	if err := l.Take(-1, now.Add(time.Minute)); !errors.Is(err, auth.ErrRateLimited) {
		t.Fatalf("the key that used up its allowance: %v, want ErrRateLimited", err)
	}
	if len(l.buckets) != maxBuckets || len(l.fullest) != maxBuckets {
		t.Fatalf("%d buckets, %d in the heap", len(l.buckets), len(l.fullest))
	}
	// All but two allowances are full after half the period, all after the whole.
	later := now.Add(48*time.Minute + time.Second)
	if err := l.Take(-2, later); err != nil || len(l.buckets) != 1 || len(l.fullest) != 1 {
		t.Fatalf("%v, %d buckets, %d in the heap, want 1", err, len(l.buckets), len(l.fullest))
	}
}

// TestLoginLimitOfAWideNetwork sends every request from another /64 of one /48: they share an
// allowance. Another /48 and IPv4 have separate allowances.
func TestLoginLimitOfAWideNetwork(t *testing.T) {
	t.Parallel()
	l := newLimits(Rate{1, time.Hour})
	admit := func(ip string) error { return l.AdmitLogin(t.Context(), nil, Network(ip)) }
	for i := range wideFactor {
		if err := admit(fmt.Sprintf("2001:db8:1:%x::1", i)); err != nil {
			t.Fatalf("/64 number %d: %v", i, err)
		}
	}
	if err := admit("2001:db8:1:ffff::1"); !errors.Is(err, auth.ErrRateLimited) {
		t.Errorf("one more /64: %v, want ErrRateLimited", err)
	}
	for _, ip := range []string{"2001:db8:2::1", "192.0.2.1", "192.0.2.2", "@"} {
		if err := admit(ip); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

// TestLoginLimitLetsNewcomersIn sends 100,000 logins, each from another /64 of one /47. Clients
// that come later are still admitted.
func TestLoginLimitLetsNewcomersIn(t *testing.T) {
	t.Parallel()
	l := newLimits(Rate{20, time.Minute})
	refused := 0
	for i := range maxBuckets {
		err := l.AdmitLogin(t.Context(), nil, Network(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)))
		if errors.Is(err, auth.ErrRateLimited) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no request of the /47 was refused")
	}
	for i := range 1000 {
		for _, ip := range []string{fmt.Sprintf("198.51.%d.%d", i/250, i%250), fmt.Sprintf("2001:db9:%x::1", i)} {
			if err := l.AdmitLogin(t.Context(), nil, Network(ip)); err != nil {
				t.Fatalf("%s: %v", ip, err)
			}
		}
	}
}

// TestLoginLimitOfADay sends logins from more addresses than the limiter has entries, and again
// after an hour. The period of the limit is a day.
func TestLoginLimitOfADay(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	l := NewLimiter[int](Rate{60, 24 * time.Hour})
	for hour := range 3 {
		for key := range maxBuckets + 1000 {
			if err := l.Take(key, start.Add(time.Duration(hour)*time.Hour)); err != nil {
				t.Fatalf("address %d in hour %d: %v", key, hour, err)
			}
		}
	}
}

// newLimits returns limits with this limit on logins.
func newLimits(login Rate) *Limits {
	return New(Config{Login: login, Phone: Rate{10, time.Minute}, Decode: Rate{30, time.Minute}, Inflight: 1})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.1":         "192.0.2.1/32",
		"::ffff:192.0.2.1":  "192.0.2.1/32",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"fe80::1%eth0":      "fe80::/64",
		"@":                 "invalid Prefix",
	} {
		if got := fmt.Sprint(Network(ip)); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}

// TestShared: the shared store decides; while it is down, this machine's allowance does. Each
// limit has a distinct name and key.
func TestShared(t *testing.T) {
	t.Parallel()
	user := auth.User{App: "wx1", OpenID: "o1"}
	var asked []string
	var wait time.Duration
	var down error
	shared := func(_ context.Context, name string, key []byte, n int, per time.Duration) (time.Duration, error) {
		asked = append(asked, fmt.Sprintf("%s %x %q %d/%v", name, key[:2], key[32:], n, per))
		return wait, down
	}
	l := New(Config{
		Login: Rate{1, time.Hour}, Phone: Rate{2, time.Hour}, Decode: Rate{3, time.Hour}, Inflight: 1,
		Site: [32]byte{0xab, 0xcd},
	})
	calls := []func() error{
		func() error { return l.AdmitLogin(t.Context(), shared, Network("192.0.2.1")) },
		func() error { return l.AdmitLogin(t.Context(), shared, Network("2001:db8:1:2::3")) },
		func() error { return l.AdmitPhone(t.Context(), shared, user) },
		func() error { return l.AdmitDecode(t.Context(), shared, user) },
	}
	for i, call := range calls {
		for range 5 { // more than this machine's allowance
			if err := call(); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}
	slices.Sort(asked)
	want := []string{
		`decode abcd "wx1\x00o1" 3/1h0m0s`, `login abcd "192.0.2.1/32" 1/1h0m0s`, `login abcd "2001:db8:1:2::/64" 1/1h0m0s`,
		`login48 abcd "2001:db8:1::/48" 256/1h0m0s`, `phone abcd "wx1\x00o1" 2/1h0m0s`,
	}
	if got := slices.Compact(asked); !slices.Equal(got, want) {
		t.Errorf("asked\n%q, want\n%q", got, want)
	}
	wait = time.Minute
	for i, call := range calls {
		var p *problem.Problem
		if err := call(); !errors.As(err, &p) || p.RetryAfter != time.Minute || !errors.Is(err, auth.ErrRateLimited) {
			t.Errorf("call %d: %v, want to wait a minute", i, err)
		}
	}
	down = auth.ErrStoreUnavailable
	for i, allowed := range []int{1, 1, 2, 3} {
		for n := range allowed + 1 {
			if err := calls[i](); (err == nil) != (n < allowed) {
				t.Errorf("call %d, time %d without the store: %v", i, n, err)
			}
		}
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	l := newLimits(Rate{})
	leave, err := l.Enter()
	if err != nil {
		t.Fatal(err)
	}
	var p *problem.Problem
	if _, err := l.Enter(); !errors.As(err, &p) || p.RetryAfter != inflightRetryAfter {
		t.Errorf("got %v, want to wait %v", err, inflightRetryAfter)
	}
	leave()
	if _, err := l.Enter(); err != nil {
		t.Error(err)
	}
	if l.Login != nil || l.Wide != nil {
		t.Error("there is a limit on logins")
	}
}
