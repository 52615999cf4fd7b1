package push_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const app = auth.AppID("wx4f4bc4dec97d474b")

var limits = queue.Limits{Entries: 100, Bytes: 1 << 20, Dead: 10, Seen: 1000}

// text returns a text message of a user.
func text(user, id string) *callback.Push {
	return &callback.Push{
		App: app, From: auth.OpenID(user), MsgType: "text", MsgID: id,
		Message: fmt.Appendf(nil, `{"FromUserName":%q,"MsgType":"text","Content":"hi","MsgId":%q}`, user, id),
	}
}

// event returns an event about a user, with its time in seconds.
func event(user, name string, second int) *callback.Push {
	return &callback.Push{
		App: app, From: auth.OpenID(user), MsgType: "event", Name: name,
		Message: fmt.Appendf(nil, `{"FromUserName":%q,"CreateTime":%d,"MsgType":"event","Event":%q}`, user, second, name),
	}
}

// inbox is a service that records its messages.
type inbox struct {
	mu   sync.Mutex
	err  error // result of each attempt; nil to accept
	got  []queue.Message
	wake chan struct{} // a message was accepted
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1000)} }

func (b *inbox) send(_ context.Context, m queue.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.got = append(b.got, m)
	b.wake <- struct{}{}
	return nil
}

// newQueue returns a queue over a store, which delivers to a service until stop is called.
func newQueue(t testing.TB, store queue.Store, send func(context.Context, queue.Message) error) (q *queue.Queue, stop func()) {
	t.Helper()
	q = queue.New(queue.Config{Kind: "push", Store: store, Logger: zap.NewNop()})
	release := q.Use(&queue.Route{Box: tokentest.MustBox(t, tokentest.Secret), Send: send})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { q.Run(ctx) })
	return q, sync.OnceFunc(func() {
		release()
		cancel()
		running.Wait()
	})
}

// newRouter returns a router with one service for all messages, over a store.
func newRouter(t testing.TB, store queue.Store, b *inbox) (r *push.Router, stop func()) {
	t.Helper()
	q, end := newQueue(t, store, b.send)
	r = push.NewRouter([]*push.Forward{{App: app, Queue: q}})
	return r, sync.OnceFunc(func() {
		r.Close()
		end()
	})
}

// wantStored stores a message and checks the outcome.
func wantStored(t testing.TB, r *push.Router, p *callback.Push, want push.Outcome, wantErr error) {
	t.Helper()
	got, err := r.Store(t.Context(), p)
	if got != want || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
		t.Errorf("%s %s: %s, %v; want %s, %v", p.MsgType, p.Name, got, err, want, wantErr)
	}
}
