package boltqueue_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/boltqueue"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestPurgeRest: old entries of a queue that is no longer configured are deleted by another
// queue; newer ones are not.
func TestPurgeRest(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	defer closeFile(t, file)
	limits := queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 10, Seen: 10}
	gone := boltqueue.New(file, "gone", limits)
	add := func(id string, at time.Time) {
		_, err := gone.AppendOnce(t.Context(), &queue.Entry{ID: id, Order: id, Enqueued: at}, time.Hour)
		sessiontest.Must(t, err)
	}
	add("dead", time.Now().Add(-3*time.Hour))
	letter, _, err := gone.Claim(t.Context(), time.Minute)
	sessiontest.Must(t, err)
	sessiontest.Must(t, gone.Bury(t.Context(), letter))
	add("old", time.Now().Add(-3*time.Hour))
	add("young", time.Now())

	other := boltqueue.New(file, "event", limits)
	sessiontest.Must(t, other.Purge(t.Context(), time.Now().Add(-time.Hour/2)))
	status, err := boltqueue.New(file, "gone", limits).Status(t.Context())
	if err != nil || status.Entries != 1 || status.Dead != 0 {
		t.Errorf("the file has %+v, %v", status, err)
	}
	sessiontest.Must(t, other.Purge(t.Context(), time.Now().Add(2*time.Hour)))
	sessiontest.Must(t, file.View(t.Context(), func(tx *bbolt.Tx) error {
		for _, name := range []string{"queue", "queue-dead", "queue-seen"} {
			if k, _ := tx.Bucket([]byte(name)).Cursor().First(); k != nil {
				t.Errorf("%s still has %q", name, k)
			}
		}
		return nil
	}))
}
