package push_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// TestRoutes: a message goes to the service that lists it, and otherwise to the service without
// a list.
func TestRoutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		named, rest := newInbox(), newInbox()
		q1, stop1 := newQueue(t, queue.NewLocal(limits, nil), named.send)
		q2, stop2 := newQueue(t, queue.NewLocal(limits, nil), rest.send)
		defer stop1()
		defer stop2()
		both := push.NewRouter([]*push.Forward{{App: app, Queue: q2}, {App: app, Events: []string{"subscribe", "image"}, Queue: q1}})
		one := push.NewRouter([]*push.Forward{{App: app, Events: []string{"subscribe"}, Queue: q1}})
		image := text("o1", "1")
		image.MsgType = "image"
		for name, row := range map[string]struct {
			router *push.Router
			p      *callback.Push
			to     *inbox // nil for no service
		}{
			"an event by name":            {both, event("o1", "subscribe", 1), named},
			"another event":               {both, event("o1", "unsubscribe", 1), rest},
			"a type by name":              {both, image, named},
			"another type":                {both, text("o1", "2"), rest},
			"an event with a type's name": {both, event("o1", "image", 7), named},
			"another spelling":            {both, event("o1", "SUBSCRIBE", 1), rest},
			"no service for it":           {one, text("o1", "3"), nil},
			"another app":                 {both, &callback.Push{App: "wx0000000000000002", MsgType: "text", Message: []byte(`{}`)}, nil},
			"no service at all":           {push.NewRouter(nil), text("o1", "4"), nil},
		} {
			before := [2]int{len(named.got), len(rest.got)}
			want, wanted := push.Queued, before
			switch row.to {
			case named:
				wanted[0]++
			case rest:
				wanted[1]++
			default:
				want = push.Ignored
			}
			wantStored(t, row.router, row.p, want, nil)
			synctest.Wait()
			if got := [2]int{len(named.got), len(rest.got)}; got != wanted {
				t.Errorf("%s: %v messages before, then %v", name, before, got)
			}
		}
	})
}

// TestDuplicates: a message that WeChat repeats within a day is delivered once. Two events
// within a second are different messages.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newInbox()
		r, stop := newRouter(t, queue.NewLocal(limits, nil), b)
		defer stop()
		once := func(what string, p *callback.Push) {
			t.Helper()
			wantStored(t, r, p, push.Queued, nil)
			wantStored(t, r, p, push.Duplicate, nil)
			synctest.Wait()
			wantStored(t, r, p, push.Duplicate, nil)
			if t.Failed() {
				t.Fatal(what)
			}
		}
		once("a text", text("o1", "1"))
		once("another text", text("o1", "2"))
		once("an event", event("o1", "subscribe", 1))
		once("another one in the same second", event("o1", "unsubscribe", 1))
		once("of another user", event("o2", "subscribe", 1))
		once("a second later", event("o1", "subscribe", 2))
		once("an event with the MsgId of a text", &callback.Push{App: app, MsgType: "event", Name: "x", MsgID: "1", Message: []byte(`{}`)})
		time.Sleep(24*time.Hour - time.Second)
		wantStored(t, r, text("o1", "1"), push.Duplicate, nil)
		time.Sleep(time.Second)
		wantStored(t, r, text("o1", "1"), push.Queued, nil)
		synctest.Wait()
		if n := len(b.got); n != 8 {
			t.Errorf("%d messages were delivered", n)
		}
		ids := make(map[string]bool)
		for _, m := range b.got {
			ids[m.ID] = true
		}
		if len(ids) != 7 { // the first text came again a day later
			t.Errorf("%d different IDs", len(ids))
		}
	})
}

// heldStore fails or blocks when the test sets it.
type heldStore struct {
	queue.Store
	hold chan struct{} // closed to continue
	err  error
}

func (s *heldStore) AppendOnce(ctx context.Context, e *queue.Entry, within time.Duration) (bool, error) {
	<-s.hold // like a disk, it cannot be interrupted
	if s.err != nil {
		return false, s.err
	}
	return s.Store.AppendOnce(ctx, e, within)
}

// TestStoreFails: a message that was not stored is not acknowledged, and may be repeated.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("no space left on device")
	synctest.Test(t, func(t *testing.T) {
		held := &heldStore{Store: queue.NewLocal(limits, nil), hold: make(chan struct{}), err: errDisk}
		close(held.hold)
		b := newInbox()
		r, stop := newRouter(t, held, b)
		defer stop()
		wantStored(t, r, text("o1", "1"), push.Failed, auth.ErrStoreUnavailable)
		wantStored(t, r, text("o1", "1"), push.Failed, errDisk)
		held.err = nil
		wantStored(t, r, text("o1", "1"), push.Queued, nil)
		synctest.Wait()
		if len(b.got) != 1 {
			t.Errorf("%d messages were delivered", len(b.got))
		}
	})
}

// TestStoreHangs: WeChat gets an error after a second. If the message was stored later, it is
// recognized when WeChat repeats it, and is delivered once.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := &heldStore{Store: queue.NewLocal(limits, nil), hold: make(chan struct{})}
		b := newInbox()
		r, stop := newRouter(t, held, b)
		defer stop()
		began := time.Now()
		for range 100 { // more than may be stored at the same time
			go func() { wantStored(t, r, text("o1", "1"), push.Failed, auth.ErrStoreUnavailable) }()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		close(held.hold)
		synctest.Wait()
		wantStored(t, r, text("o1", "1"), push.Duplicate, nil)
		synctest.Wait()
		if len(b.got) != 1 {
			t.Errorf("%d messages were delivered", len(b.got))
		}
	})
}

// TestFull: if the queue is full, a message is not acknowledged. When the queue has room again,
// WeChat's repetition is stored.
func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newInbox()
		b.err = &queue.StatusError{Status: 503}
		full := limits
		full.Entries = 2
		r, stop := newRouter(t, queue.NewLocal(full, nil), b)
		defer stop()
		wantStored(t, r, text("o1", "1"), push.Queued, nil)
		wantStored(t, r, text("o2", "2"), push.Queued, nil)
		wantStored(t, r, text("o3", "3"), push.Failed, queue.ErrFull)
		b.mu.Lock()
		b.err = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		wantStored(t, r, text("o3", "3"), push.Queued, nil)
		synctest.Wait()
		if len(b.got) != 3 {
			t.Errorf("%d messages were delivered", len(b.got))
		}
	})
}

// TestNoRoute: a late request of a replaced configuration does not store a message, since it
// would not be delivered.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, stop := newRouter(t, queue.NewLocal(limits, nil), newInbox())
		stop()
		wantStored(t, r, text("o1", "1"), push.Failed, queue.ErrNoRoute)
	})
}

// TestOrder: the messages of a user are delivered in their original order, although the service
// fails in between.
func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newInbox()
		attempts := 0
		q, stop := newQueue(t, queue.NewLocal(limits, nil), func(ctx context.Context, m queue.Message) error {
			b.mu.Lock()
			attempts++
			fail := attempts%3 != 0
			b.mu.Unlock()
			if fail {
				return &queue.StatusError{Status: 500}
			}
			return b.send(ctx, m)
		})
		defer stop()
		r := push.NewRouter([]*push.Forward{{App: app, Queue: q}})
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			wantStored(t, r, text("o1", id), push.Queued, nil)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(b.got) != 5 {
			t.Fatalf("%d messages were delivered", len(b.got))
		}
		for i, m := range b.got {
			var stored struct{ Body []byte }
			if err := json.Unmarshal(m.Payload, &stored); err != nil || string(stored.Body) != string(text("o1", fmt.Sprint(i+1)).Message) {
				t.Errorf("message %d is %s, %v", i+1, stored.Body, err)
			}
		}
	})
}
