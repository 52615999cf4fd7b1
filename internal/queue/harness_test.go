package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var limits = queue.Limits{Entries: 1000, Bytes: 1 << 20, Dead: 100}

// receiver records the messages that it accepts, and fails as the test requires.
type receiver struct {
	mu       sync.Mutex
	fail     func(m queue.Message, attempt int) error // nil: accepts everything
	attempts map[string]int
	got      []string // payloads, in the order of acceptance
	at       map[string]time.Time
}

func (r *receiver) send(_ context.Context, m queue.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := string(m.Payload)
	if r.attempts == nil {
		r.attempts, r.at = make(map[string]int), make(map[string]time.Time)
	}
	r.attempts[text]++
	if r.fail != nil {
		if err := r.fail(m, r.attempts[text]); err != nil {
			return err
		}
	}
	r.got = append(r.got, text)
	r.at[text] = time.Now()
	return nil
}

func (r *receiver) accepted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

// line is a queue that runs in a synctest bubble, with its receiver.
type line struct {
	*queue.Queue
	*receiver
	stop func() // ends Run and waits for it; may be called twice

	mu     sync.Mutex
	counts map[queue.Outcome]int
}

func box(t testing.TB) *seal.Box {
	t.Helper()
	b, err := seal.New(bytes.Repeat([]byte("k"), seal.MinSecretBytes))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts a queue over a store. The queue ends with the test.
func run(t testing.TB, s queue.Store) *line {
	t.Helper()
	l := &line{receiver: new(receiver), counts: make(map[queue.Outcome]int)}
	l.Queue = queue.New(queue.Config{Kind: "event", Store: s, Logger: zap.NewNop(), Observe: func(o queue.Outcome, n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts[o] += n
	}})
	release := l.Use(l.route(t))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	l.stop = sync.OnceFunc(func() {
		release() // first, as when a configuration ends
		cancel()
		running.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

func (l *line) route(t testing.TB) *queue.Route {
	t.Helper()
	return &queue.Route{Box: box(t), Send: l.send, Lost: func(time.Time) []byte { return []byte("lost") }}
}

func (l *line) put(user, text string) { l.Put([]byte(user), []byte(text)) }

// wantCounts checks the observed outcomes, once nothing is in progress.
func (l *line) wantCounts(t testing.TB, want map[queue.Outcome]int) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !maps.Equal(l.counts, want) {
		t.Errorf("observed %v, want %v", l.counts, want)
	}
}

func status(code int) error { return &queue.StatusError{Status: code} }

// bubble runs a test of a queue with a fake clock.
func bubble(t *testing.T, test func(t *testing.T, l *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := run(t, queue.NewLocal(limits, nil))
		defer l.stop()
		test(t, l)
	})
}

// users puts n messages for each of many users; "3-1" is the first message of user 3.
func (l *line) users(users, n int) (texts int) {
	for i := range n {
		for u := range users {
			l.put(fmt.Sprint(u), fmt.Sprintf("%d-%d", u, i+1))
		}
	}
	return users * n
}

// wantOrder checks that every message was accepted once, and each user's messages in order.
func wantOrder(t testing.TB, got []string, n int) {
	t.Helper()
	last := make(map[int]int)
	for _, text := range got {
		var user, i int
		if _, err := fmt.Sscanf(text, "%d-%d", &user, &i); err != nil {
			t.Fatal(err)
		}
		if i != last[user]+1 {
			t.Errorf("user %d: message %d after %d", user, i, last[user])
		}
		last[user] = i
	}
	if len(got) != n {
		t.Errorf("%d messages accepted, want %d", len(got), n)
	}
}
