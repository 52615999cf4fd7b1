package push

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

func testBox(t testing.TB) *seal.Box { return tokentest.MustBox(t, tokentest.Secret) }

// slowService is a service that responds after a delay, and counts the deliveries.
type slowService struct {
	takes time.Duration
	err   error

	mu         sync.Mutex
	deliveries int
}

func (s *slowService) send(replies *Replies) func(context.Context, queue.Message) error {
	return func(ctx context.Context, m queue.Message) error {
		s.mu.Lock()
		s.deliveries++
		s.mu.Unlock()
		time.Sleep(s.takes)
		if s.err == nil {
			replies.put(ctx, m.ID, []byte("reply"))
		}
		return s.err
	}
}

// newReplying returns a router with one service that replies, and its queue.
func newReplying(t *testing.T, s *slowService, replies *Replies) (*Router, *queue.Queue) {
	t.Helper()
	q := queue.New(queue.Config{Kind: "push", Store: queue.NewLocal(queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 10, Seen: 10}, nil), Logger: zap.NewNop()})
	release := q.Use(&queue.Route{Box: replies.box, Send: s.send(replies)})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { q.Run(ctx) })
	r := NewRouter([]*Forward{{App: "wx1", Queue: q, Replies: replies}})
	t.Cleanup(func() {
		r.Close()
		release()
		cancel()
		running.Wait()
	})
	return r, q
}

func message(id string) *callback.Push {
	return &callback.Push{App: "wx1", From: "o1", MsgType: "text", MsgID: id, Message: []byte(`{}`)}
}

// awaited stores a message and waits for its reply for four seconds.
func awaited(t *testing.T, r *Router, p *callback.Push) (text string, took time.Duration) {
	t.Helper()
	began := time.Now()
	if _, err := r.Store(t.Context(), p); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), began.Add(4*time.Second))
	defer cancel()
	f := r.find(p)
	got, ok := f.Replies.wait(ctx, f.Queue.ID(identity(p)))
	if ok != (got != nil) {
		t.Errorf("got %q, %v", got, ok)
	}
	return string(got), time.Since(began)
}

// TestReplyTimes: a reply is used if it comes within four seconds. A slower service also gets
// the message only once.
func TestReplyTimes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		service *slowService
		want    string
		took    time.Duration
		left    int // in the queue, after the service has responded
	}{
		"at once":  {&slowService{}, "reply", 0, 0},
		"in time":  {&slowService{takes: 3900 * time.Millisecond}, "reply", 3900 * time.Millisecond, 0},
		"too late": {&slowService{takes: 4100 * time.Millisecond}, "", 4 * time.Second, 0},
		"failing":  {&slowService{err: errors.New("down")}, "", 4 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, q := newReplying(t, row.service, NewReplies(testBox(t), nil))
				got, took := awaited(t, r, message("1"))
				if got != row.want || took != row.took {
					t.Errorf("got %q after %v, want %q after %v", got, took, row.want, row.took)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				status, err := q.Status(t.Context())
				if err != nil || status.Entries != row.left || row.service.err == nil && row.service.deliveries != 1 {
					t.Errorf("%d deliveries, %+v, %v", row.service.deliveries, status, err)
				}
			})
		})
	}
}

// TestReplyRepeats: repeated messages get the same reply, during and after the work of the
// service. The service gets the message once.
func TestReplyRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowService{takes: 2 * time.Second}
		r, _ := newReplying(t, s, NewReplies(testBox(t), nil))
		var repeats sync.WaitGroup
		for range 3 {
			repeats.Go(func() {
				if got, _ := awaited(t, r, message("1")); got != "reply" {
					t.Errorf("got %q", got)
				}
			})
		}
		repeats.Wait()
		if got, took := awaited(t, r, message("1")); got != "reply" || took != 0 {
			t.Errorf("got %q after %v", got, took)
		}
		if s.deliveries != 1 {
			t.Errorf("%d deliveries", s.deliveries)
		}
	})
}

// memoryShared is a Shared in memory.
type memoryShared struct {
	mu   sync.Mutex
	kept map[string][]byte
	err  error
}

func (s *memoryShared) Keep(_ context.Context, id string, sealed []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.kept[id] == nil {
		s.kept[id] = sealed
	}
	return s.err
}

func (s *memoryShared) Kept(_ context.Context, id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[id], s.err
}

// TestReplyOfAnotherMachine: a machine gets the reply to a message that another machine
// delivered, but no reply that was sealed for another message, and no reply while the store is
// down.
func TestReplyOfAnotherMachine(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		spoil func(*memoryShared)
		want  string
	}{
		"kept":  {func(*memoryShared) {}, "reply"},
		"moved": {func(s *memoryShared) { s.kept["1"], s.kept["2"] = s.kept["2"], s.kept["1"] }, ""},
		"down":  {func(s *memoryShared) { s.err = errors.New("down") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &memoryShared{kept: map[string][]byte{}}
				here, there := NewReplies(testBox(t), s), NewReplies(testBox(t), s)
				there.put(t.Context(), "1", []byte("reply"))
				there.put(t.Context(), "1", []byte("a second reply"))
				there.put(t.Context(), "2", []byte("reply to 2"))
				row.spoil(s)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				if got, ok := here.wait(ctx, "1"); string(got) != row.want || ok != (row.want != "") {
					t.Errorf("got %q, %v", got, ok)
				}
			})
		})
	}
}

// TestRepliesAreBounded: replies are dropped after half a minute, and the oldest is dropped if
// there are too many.
func TestRepliesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewReplies(testBox(t), nil)
		for i := range 2 * maxReplies {
			r.settle(fmt.Sprint(i), []byte("reply"))
		}
		if len(r.known) != maxReplies || len(r.order) != maxReplies || r.known["0"] != nil {
			t.Errorf("%d replies", len(r.known))
		}
		time.Sleep(keepReply + time.Second)
		r.settle("new", nil)
		if len(r.known) != 1 || len(r.order) != 1 {
			t.Errorf("%d replies after half a minute", len(r.known))
		}
	})
}
