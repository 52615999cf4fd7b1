package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// brittleSessions fails to end sessions when the test sets an error.
type brittleSessions struct {
	auth.Store
	err   error
	ended int // how often a user's sessions were ended
}

func (b *brittleSessions) EndUser(ctx context.Context, u auth.User, at, until time.Time) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.ended++
	return b.Store.EndUser(ctx, u, at, until)
}

// brittleQueue fails to store a message when the test sets an error.
type brittleQueue struct {
	queue.Store
	err error
}

func (b *brittleQueue) AppendOnce(ctx context.Context, e *queue.Entry, within time.Duration) (bool, error) {
	if b.err != nil {
		return false, b.err
	}
	return b.Store.AppendOnce(ctx, e, within)
}

// TestForwardAfterActing: a message is stored for a service only after the gateway acted on it.
// If acting or storing fails, WeChat gets an error and repeats the message, and the repetition
// completes the rest.
func TestForwardAfterActing(t *testing.T) {
	t.Parallel()
	errDown := fmt.Errorf("%w: test", auth.ErrStoreUnavailable)
	s := newCallbackSite(t)
	sessions := &brittleSessions{Store: s.runtime.Store, err: errDown}
	stored := &brittleQueue{Store: queue.NewLocal(queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 1, Seen: 10}, nil), err: errDown}
	box, err := seal.New([]byte(strings.Repeat("root secret ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(queue.Config{Kind: "push", Store: stored, Logger: zap.NewNop()}) // it delivers nothing
	release := q.Use(&queue.Route{Box: box, Send: func(context.Context, queue.Message) error { return nil }})
	defer release()
	s.runtime.Pushes = push.NewRouter([]*push.Forward{{App: auth.AppID(second.ID), Queue: q}})
	defer s.runtime.Pushes.Close()
	s.runtime.Service = auth.NewService(auth.Config{
		Tokens: s.runtime.Tokens, Store: sessions, Revocations: s.runtime.Revocations, Available: s.runtime.Ready,
		Access: time.Hour, Refresh: 30 * 24 * time.Hour, Idle: 7 * 24 * time.Hour,
	})
	revoke, err := simpush.Event(s.sim, wechatsim.User{App: second.ID, Name: "alice"}, "user_authorization_cancellation", simpush.Target{Token: secondToken, EncodingAESKey: aesKey})
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, status, ended, entries int) {
		t.Helper()
		r := s.push(revoke)
		kept, err := stored.Status(t.Context())
		if err != nil || r.status != status || (r.body == "success") != (status == http.StatusOK) || sessions.ended != ended || kept.Entries != entries {
			t.Errorf("%s: %d %s, ended %d times, %d messages, %v", what, r.status, r.body, sessions.ended, kept.Entries, err)
		}
	}
	stored.err = nil
	want("acting fails", http.StatusServiceUnavailable, 0, 0)
	sessions.err, stored.err = nil, errDown
	want("storing fails", http.StatusServiceUnavailable, 1, 0)
	stored.err = nil
	want("the repetition", http.StatusOK, 1, 1)
	want("another repetition", http.StatusOK, 1, 1)
}
