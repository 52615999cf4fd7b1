package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
)

// TestDelivery: everything is delivered, and each user's messages in order.
func TestDelivery(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		n := l.users(30, 5)
		synctest.Wait()
		wantOrder(t, l.accepted(), n)
		l.wantCounts(t, map[queue.Outcome]int{queue.Queued: n, queue.Delivered: n})
	})
}

// TestOutage: after an outage of an hour, the receiver gets everything within minutes, in order.
func TestOutage(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		back := time.Now().Add(55 * time.Minute)
		l.fail = func(queue.Message, int) error {
			if time.Now().Before(back) {
				return errors.New("connection refused")
			}
			return nil
		}
		n := l.users(40, 3)
		time.Sleep(55 * time.Minute)
		if got := l.accepted(); len(got) > 0 {
			t.Fatalf("%d messages accepted during the outage", len(got))
		}
		time.Sleep(5*time.Minute + time.Second)
		wantOrder(t, l.accepted(), n)
	})
}

// TestOutageOverTheHour: after an hour, the order is given up, but nothing is lost.
func TestOutageOverTheHour(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		back := time.Now().Add(3 * time.Hour)
		l.fail = func(queue.Message, int) error {
			if time.Now().Before(back) {
				return context.DeadlineExceeded
			}
			return nil
		}
		n := l.users(20, 3)
		time.Sleep(3*time.Hour + 6*time.Minute)
		got := l.accepted()
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != n {
			t.Errorf("%d messages accepted, want %d", len(got), n)
		}
	})
}

// TestStubborn: a message that is never accepted delays the user's next one for an hour, does
// not delay those of other users, and becomes a dead letter after a day.
func TestStubborn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		l.fail = func(m queue.Message, _ int) error {
			if strings.HasPrefix(string(m.Payload), "bad") {
				return status(503)
			}
			return nil
		}
		began := time.Now()
		l.put("alice", "bad")
		l.put("alice", "good")
		l.put("bob", "other")
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if took := l.at["other"].Sub(began); took > time.Second {
			t.Errorf("another user waited for %v", took)
		}
		if took := l.at["good"].Sub(began); took != time.Hour {
			t.Errorf("the next message waited for %v, want an hour", took)
		}
		dead, err := l.Dead(t.Context())
		if err != nil || len(dead) != 1 || dead[0].Reason != "status 503" {
			t.Fatalf("dead letters %+v, %v", dead, err)
		}
		if n := dead[0].Attempts; n < 24*60/5 || n > 1000 {
			t.Errorf("%d attempts in a day", n)
		}
		l.wantCounts(t, map[queue.Outcome]int{queue.Queued: 3, queue.Delivered: 2, queue.Retried: dead[0].Attempts - 1, queue.Dead: 1})
	})
}

// TestRefusals: a 4xx is final, except for those that ask for another attempt. After any other
// error, delivery is attempted again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err    error
		dead   bool
		reason string
	}{
		"400":            {&queue.StatusError{Status: 400, Code: "invalid_audience"}, true, "status 400 invalid_audience"},
		"401":            {status(401), true, "status 401"},
		"404":            {status(404), true, "status 404"},
		"410":            {status(410), true, "status 410"},
		"499":            {status(499), true, "status 499"},
		"408":            {err: status(408)},
		"429":            {err: status(429)},
		"302":            {err: status(302)},
		"500":            {err: status(500)},
		"503":            {err: status(503)},
		"unreachable":    {err: errors.New("dial tcp 10.0.0.1: connection refused")},
		"timeout":        {err: context.DeadlineExceeded},
		"cannot be sent": {fmt.Errorf("%w: no key", queue.ErrRefused), true, "the message cannot be sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, l *line) {
				l.fail = func(_ queue.Message, attempt int) error {
					if attempt == 1 {
						return row.err
					}
					return nil
				}
				l.put("alice", "first")
				l.put("alice", "second")
				time.Sleep(2 * time.Second)
				want := []string{"first", "second"}
				if row.dead {
					want = nil
				}
				dead, err := l.Dead(t.Context())
				if err != nil || row.dead != (len(dead) == 2) {
					t.Errorf("dead letters %+v, %v", dead, err)
				}
				if row.dead && dead[0].Reason != row.reason {
					t.Errorf("reason %q, want %q", dead[0].Reason, row.reason)
				}
				time.Sleep(2 * time.Second) // the second message fails once too
				if got := l.accepted(); !slices.Equal(got, want) {
					t.Errorf("accepted %v, want %v", got, want)
				}
			})
		})
	}
}

// TestBackoff: the wait doubles from a second to five minutes, with jitter; a Retry-After of up
// to an hour is obeyed.
func TestBackoff(t *testing.T) {
	t.Parallel()
	attemptsAt := func(t *testing.T, err error, n int) (waits []time.Duration) {
		bubble(t, func(_ *testing.T, l *line) {
			var at []time.Time
			l.fail = func(queue.Message, int) error {
				if at = append(at, time.Now()); len(at) > n {
					return nil
				}
				return err
			}
			l.put("alice", "x")
			time.Sleep(23 * time.Hour)
			synctest.Wait()
			for i := range n {
				waits = append(waits, at[i+1].Sub(at[i]))
			}
		})
		return waits
	}
	for i, wait := range attemptsAt(t, status(500), 11) {
		most := min(time.Second<<i, 5*time.Minute)
		if wait < most/2 || wait > most {
			t.Errorf("wait %d is %v, want %v to %v", i+1, wait, most/2, most)
		}
	}
	for asked, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 10 * time.Hour: time.Hour} {
		if waits := attemptsAt(t, &queue.StatusError{Status: 503, RetryAfter: asked}, 1); waits[0] != want {
			t.Errorf("Retry-After of %v: wait %v, want %v", asked, waits[0], want)
		}
	}
}

// TestResendAfterRepair: a dead letter is delivered once an operator resends it.
func TestResendAfterRepair(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		l.fail = func(queue.Message, int) error { return status(401) }
		n := l.users(5, 2)
		synctest.Wait()
		l.receiver.mu.Lock()
		l.fail = nil
		l.receiver.mu.Unlock()
		if resent, err := l.Resend(t.Context()); err != nil || resent != n {
			t.Fatalf("resent %d, %v", resent, err)
		}
		time.Sleep(2 * time.Second)
		wantOrder(t, l.accepted(), n)
	})
}

// TestExpiry: nothing is kept for more than seven days, dead letters included.
func TestExpiry(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *line) {
		l.fail = func(queue.Message, int) error { return status(400) }
		l.users(5, 2)
		time.Sleep((7*24 - 2) * time.Hour)
		if s, err := l.Status(t.Context()); err != nil || s.Dead != 10 {
			t.Fatalf("got %+v, %v", s, err)
		}
		time.Sleep(2 * time.Hour)
		if s, err := l.Status(t.Context()); err != nil || s.Dead != 0 {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

// TestOtherSecret: a message sealed with a root secret that is no longer configured becomes a
// dead letter, and can be delivered once the secret is configured again.
func TestOtherSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := queue.NewLocal(limits, nil)
		first := run(t, store)
		first.fail = func(queue.Message, int) error { return status(500) }
		first.put("alice", "x")
		synctest.Wait()
		first.stop()

		second := run(t, store)
		defer second.stop()
		other, err := seal.New([]byte(strings.Repeat("n", seal.MinSecretBytes)))
		if err != nil {
			t.Fatal(err)
		}
		route := second.route(t)
		route.Box = other
		release := second.Use(route)
		time.Sleep(time.Minute)
		dead, err := store.Dead(t.Context())
		if err != nil || len(dead) != 1 || dead[0].Reason != "the message cannot be sent" {
			t.Fatalf("dead letters %+v, %v", dead, err)
		}
		release()
		if _, err := second.Resend(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := second.accepted(); !slices.Equal(got, []string{"x"}) {
			t.Errorf("accepted %v", got)
		}
	})
}
