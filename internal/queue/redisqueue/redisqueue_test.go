package redisqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/queuetest"
	"github.com/wxgate/wxgate/internal/queue/redisqueue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/redis/redistest"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var limits = queue.Limits{Entries: 1000, Bytes: 1 << 20, Dead: 10}

func open(t testing.TB, cfg redis.Config, limits queue.Limits) queue.Store {
	t.Helper()
	conn, prefix := redistest.Connect(t, cfg)
	return redisqueue.New(conn, prefix, "event", limits)
}

func TestConformance(t *testing.T) {
	queuetest.Conform(t, func(t testing.TB, limits queue.Limits) queue.Store { return open(t, redistest.Database(t), limits) })
}

func TestSurvive(t *testing.T) {
	queuetest.Survive(t, func(t testing.TB, limits queue.Limits) (queue.Store, func() queue.Store) {
		cfg := redistest.Database(t)
		return open(t, cfg, limits), func() queue.Store { return open(t, cfg, limits) }
	})
}

// TestKinds: two queues in one Redis do not affect each other, and all keys expire.
func TestKinds(t *testing.T) {
	conn, prefix := redistest.Connect(t, redistest.Database(t))
	for _, kind := range []string{"event", "push"} {
		s := redisqueue.New(conn, prefix, kind, limits)
		if n, err := s.Append(t.Context(), []*queue.Entry{{ID: kind, Order: "a", Enqueued: time.Now()}}); err != nil || n != 1 {
			t.Fatalf("added %d, %v", n, err)
		}
		if e, _, err := s.Claim(t.Context(), time.Minute); err != nil || e == nil || e.ID != kind {
			t.Errorf("%s has %+v, %v", kind, e, err)
		}
	}
	keys, err := conn.Do(t.Context(), conn.B().Keys().Pattern("*").Build()).AsStrSlice()
	sessiontest.Must(t, err)
	for _, key := range keys {
		if !strings.HasPrefix(key, "wxgate:{q-event}:") && !strings.HasPrefix(key, "wxgate:{q-push}:") {
			t.Errorf("key %s", key)
		}
		left, err := conn.Do(t.Context(), conn.B().Pttl().Key(key).Build()).AsInt64()
		sessiontest.Must(t, err)
		if left <= 0 && !strings.HasSuffix(key, ":attempts") || left > (7*24*time.Hour).Milliseconds() {
			t.Errorf("%s expires in %d ms", key, left)
		}
	}
	if len(keys) < 10 {
		t.Errorf("only %d keys", len(keys))
	}
}

// machine is the queue of one machine, which delivers to a shared receiver.
type machine struct {
	*queue.Queue
	stop func()
}

// start runs a machine until the test ends.
func start(t testing.TB, cfg redis.Config, send func(context.Context, queue.Message) error) *machine {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte("k"), seal.MinSecretBytes))
	sessiontest.Must(t, err)
	m := &machine{Queue: queue.New(queue.Config{Kind: "event", Store: open(t, cfg, limits), Logger: zap.NewNop()})}
	release := m.Use(&queue.Route{Box: box, Send: send, Lost: func(time.Time) []byte { return []byte("lost") }})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	m.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		release()
	})
	t.Cleanup(m.stop)
	return m
}

// TestMachines: several machines put and deliver messages at once. No two messages of a user are
// delivered at once, each user's messages come in order, and each is delivered once.
func TestMachines(t *testing.T) {
	const users, each, machines = 10, 15, 3
	cfg := redistest.Database(t)
	var d queuetest.Deliveries
	send := func(_ context.Context, m queue.Message) error {
		var user, n int
		if _, err := fmt.Sscanf(string(m.Payload), "%d-%d", &user, &n); err != nil {
			t.Error(err)
			return nil
		}
		d.Begin(t, fmt.Sprint(user), n)
		d.End(fmt.Sprint(user))
		return nil
	}
	var all []*machine
	for range machines {
		all = append(all, start(t, cfg, send))
	}
	for n := range each {
		for user := range users {
			all[user%machines].Put([]byte(fmt.Sprint(user)), fmt.Appendf(nil, "%d-%d", user, n+1))
		}
	}
	eventually(t, "all are delivered", func() bool { return d.Reached(users * each) })
	eventually(t, "the queue is empty", func() bool {
		status, err := all[0].Status(t.Context())
		sessiontest.Must(t, err)
		return status.Entries == 0
	})
}

// TestOtherMachineDelivers: messages that one machine queued before it ended are delivered by
// another machine.
func TestOtherMachineDelivers(t *testing.T) {
	cfg := redistest.Database(t)
	first := start(t, cfg, func(ctx context.Context, _ queue.Message) error {
		<-ctx.Done() // its receiver does not respond
		return ctx.Err()
	})
	for i := range 20 {
		first.Put([]byte(fmt.Sprint(i)), fmt.Appendf(nil, "%d", i))
	}
	eventually(t, "all are queued", func() bool {
		status, err := first.Status(t.Context())
		sessiontest.Must(t, err)
		return status.Entries == 20
	})
	first.stop()
	var mu sync.Mutex
	got := make(map[string]bool)
	start(t, cfg, func(_ context.Context, m queue.Message) error {
		mu.Lock()
		defer mu.Unlock()
		got[string(m.Payload)] = true
		return nil
	})
	eventually(t, "all are delivered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == 20
	})
}

// TestRedisDown: Put does not wait while Redis is down, and everything is delivered once Redis
// is up again.
func TestRedisDown(t *testing.T) {
	server := sessiontest.StartRedis(t)
	var d queuetest.Deliveries
	m := start(t, redis.Config{Addresses: []string{server.Addr}}, func(_ context.Context, m queue.Message) error {
		d.Begin(t, string(m.Payload), 1)
		d.End(string(m.Payload))
		return nil
	})
	server.Stop()
	for i := range 50 {
		m.Put([]byte(fmt.Sprint(i)), fmt.Appendf(nil, "%d", i))
	}
	if _, err := m.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "the queue: redis at") {
		t.Errorf("a Redis that is down: %v", err)
	}
	server.Start(t)
	eventually(t, "all are delivered", func() bool { return d.Reached(50) })
}

// TestFullMemory: a Redis without free memory accepts no message, but still returns those that
// it has.
func TestFullMemory(t *testing.T) {
	server := sessiontest.StartRedis(t)
	conn, prefix := redistest.Connect(t, redis.Config{Addresses: []string{server.Addr}})
	s := redisqueue.New(conn, prefix, "event", limits)
	entry := func(id string) *queue.Entry {
		return &queue.Entry{ID: id, Order: id, Payload: []byte("x"), Enqueued: time.Now()}
	}
	for _, id := range []string{"a", "b", "c"} {
		if n, err := s.Append(t.Context(), []*queue.Entry{entry(id)}); err != nil || n != 1 {
			t.Fatalf("added %d, %v", n, err)
		}
	}
	sessiontest.Must(t, conn.Do(t.Context(), conn.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", "1").Build()).Error())
	if _, err := s.Append(t.Context(), []*queue.Entry{entry("d")}); err == nil || !strings.Contains(err.Error(), "its memory is full") {
		t.Errorf("added to a full Redis: %v", err)
	}
	for _, settle := range []func(*queue.Entry) error{
		func(e *queue.Entry) error { return s.Done(t.Context(), e) },
		func(e *queue.Entry) error { return s.Bury(t.Context(), e) },
		func(e *queue.Entry) error {
			e.Next = time.Now().Add(time.Hour)
			return s.Retry(t.Context(), e, e.Order)
		},
	} {
		e, _, err := s.Claim(t.Context(), time.Minute)
		if err != nil || e == nil {
			t.Fatalf("claimed %+v, %v", e, err)
		}
		sessiontest.Must(t, settle(e))
	}
	sessiontest.Must(t, s.Purge(t.Context(), time.Now()))
	if status, err := s.Status(t.Context()); err != nil || status.Entries != 0 || status.Dead != 0 {
		t.Errorf("got %+v, %v", status, err)
	}
}

// eventually waits until done reports true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(20 * time.Second); !done(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}
