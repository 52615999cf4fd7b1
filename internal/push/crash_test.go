package push_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue/boltqueue"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

var errKilled = errors.New("the process was killed")

// mortal is a file whose process is killed at one of its writes: before the data is on the
// disk, or after it is on the disk and before Update returns.
type mortal struct {
	boltqueue.File
	at   int  // number of the write
	late bool // after it

	mu     sync.Mutex
	writes int
	died   chan struct{}
}

func (f *mortal) Update(ctx context.Context, fn func(*bbolt.Tx) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.writes > f.at || f.writes == f.at && !f.late {
		f.die()
		return errKilled
	}
	if err := f.File.Update(ctx, fn); err != nil {
		return err
	}
	if f.writes == f.at {
		f.die()
		return errKilled
	}
	return nil
}

func (f *mortal) die() {
	select {
	case <-f.died:
	default:
		close(f.died)
	}
}

// TestKilledAtEachStep: the process is killed at each of its writes. WeChat repeats messages
// that were not acknowledged. Then every message is delivered, each with one ID, and the queue
// is empty.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	messages := []*callback.Push{text("o1", "1"), text("o1", "2"), event("o2", "subscribe", 1)}
	for at := 1; at <= 2*len(messages); at++ { // each message is stored, and removed after its delivery
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(at, late), func(t *testing.T) {
				t.Parallel()
				file, err := bolt.Open(filepath.Join(t.TempDir(), "wxgate.db"), session.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = file.Close() }()
				killed := &mortal{File: file, at: at, late: late, died: make(chan struct{})}
				b := newInbox()
				r, stop := newRouter(t, boltqueue.New(killed, "push", limits), b)
				acknowledged := make(map[*callback.Push]bool)
				for _, p := range messages {
					outcome, err := r.Store(t.Context(), p)
					acknowledged[p] = err == nil
					if err != nil && outcome != push.Failed {
						t.Errorf("%s, %v", outcome, err)
					}
				}
				<-killed.died
				stop()

				store := boltqueue.New(file, "push", limits)
				r, stop = newRouter(t, store, b)
				defer stop()
				for _, p := range messages {
					if acknowledged[p] {
						continue
					}
					if _, err := r.Store(t.Context(), p); err != nil {
						t.Fatal(err)
					}
				}
				ids := make(map[string]bool)
				for len(b.ids(ids)) < len(messages) {
					<-b.wake
				}
				for status, err := store.Status(t.Context()); status.Entries > 0 || err != nil; status, err = store.Status(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
				}
				if n := len(b.ids(ids)); n != len(messages) {
					t.Errorf("%d messages were delivered, want %d", n, len(messages))
				}
			})
		}
	}
}

// ids adds the IDs of the messages that were accepted.
func (b *inbox) ids(to map[string]bool) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.got {
		to[m.ID] = true
	}
	return to
}
