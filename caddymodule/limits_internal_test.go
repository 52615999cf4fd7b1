package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	l := newLimiter[string](2, time.Minute)
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
		{61 * time.Second, "a", 0},                // across a turn of the generations
		{62 * time.Second, "a", 28 * time.Second}, // which did not refill the bucket
		{10 * time.Minute, "a", 0},                // full again, long after
		{10 * time.Minute, "a", 0},
		{10 * time.Minute, "a", 30 * time.Second},
	} {
		err := l.take(step.key, start.Add(step.after))
		var p *problem
		switch {
		case step.wait == 0 && err != nil:
			t.Errorf("step %d: refused: %v", i, err)
		case step.wait > 0 && (!errors.Is(err, auth.ErrRateLimited) || !errors.As(err, &p) || p.retryAfter.Round(time.Millisecond) != step.wait):
			t.Errorf("step %d: got %v, want to wait %v", i, err, step.wait)
		}
	}
}

// TestLimiterIsBounded floods a limiter with keys: its memory ends somewhere,
// and the flood shares one allowance from there on.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter[int](1, time.Minute)
	for key := range maxBuckets {
		if err := l.take(key, now); err != nil {
			t.Fatalf("key %d: %v", key, err)
		}
	}
	if err := l.take(maxBuckets, now); err != nil {
		t.Fatalf("the first beyond the bound: %v", err)
	}
	if err := l.take(maxBuckets+1, now); !errors.Is(err, auth.ErrRateLimited) {
		t.Fatalf("the second beyond the bound: %v", err)
	}
	if len(l.young) != maxBuckets {
		t.Fatalf("%d buckets", len(l.young))
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "5", "5/", "/1m", "0/1m", "-1/1m", "x/1m", "5/x", "5/0s", "5/-1m", "2/1ns"} {
		if _, _, err := parseRate(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if n, per, err := parseRate("20/1m"); n != 20 || per != time.Minute || err != nil {
		t.Errorf("20/1m read as %d, %v, %v", n, per, err)
	}
}

func TestClientNetwork(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.1":         "192.0.2.1/32",
		"::ffff:192.0.2.1":  "192.0.2.1/32",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"fe80::1%eth0":      "fe80::/64",
		"@":                 "invalid Prefix",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		vars := map[string]any{caddyhttp.ClientIPVarKey: ip}
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, vars))
		if got := fmt.Sprint(clientNetwork(r)); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
