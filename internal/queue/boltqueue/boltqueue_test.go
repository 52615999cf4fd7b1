package boltqueue_test

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/boltqueue"
	"github.com/wxgate/wxgate/internal/queue/queuetest"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openFile(t testing.TB, path string) *bolt.File {
	t.Helper()
	file, err := bolt.Open(path, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func closeFile(t testing.TB, file *bolt.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func TestConformance(t *testing.T) {
	queuetest.Conform(t, func(t testing.TB, limits queue.Limits) queue.Store {
		file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
		t.Cleanup(func() { closeFile(t, file) })
		return boltqueue.New(file, "event", limits)
	})
}

// TestReopen: the next process finds what the previous one left, also after a compaction.
func TestReopen(t *testing.T) {
	queuetest.Survive(t, func(t testing.TB, limits queue.Limits) (queue.Store, func() queue.Store) {
		path := filepath.Join(t.TempDir(), "wxgate.db")
		file := openFile(t, path)
		t.Cleanup(func() { closeFile(t, file) })
		return boltqueue.New(file, "event", limits), func() queue.Store {
			closeFile(t, file)
			if _, _, err := bolt.Compact(path); err != nil {
				t.Fatal(err)
			}
			if report, err := bolt.Check(path); err != nil || len(report.Problems) > 0 {
				t.Fatalf("the file is not sound: %+v, %v", report, err)
			}
			file = openFile(t, path)
			return boltqueue.New(file, "event", limits)
		}
	})
}

// TestUpgrade: the entries and dead letters of a file with an older schema are present after
// the file was rewritten.
func TestUpgrade(t *testing.T) {
	for _, schema := range []string{"schema1", "schema2"} {
		t.Run(schema, func(t *testing.T) {
			queuetest.Survive(t, func(t testing.TB, limits queue.Limits) (queue.Store, func() queue.Store) {
				path := filepath.Join(t.TempDir(), "wxgate.db")
				file := openFile(t, path)
				t.Cleanup(func() { closeFile(t, file) })
				return boltqueue.New(file, "event", limits), func() queue.Store {
					closeFile(t, file)
					older := filepath.Join(t.TempDir(), "older.db")
					sessiontest.CopyFile(t, "../../session/bolt/testdata/"+schema+".db", older)
					moveQueues(t, path, older)
					file = openFile(t, older)
					return boltqueue.New(file, "event", limits)
				}
			})
		})
	}
}

// moveQueues copies the queues of one file into another.
func moveQueues(t testing.TB, from, to string) {
	t.Helper()
	source, err := bbolt.Open(from, 0o600, nil)
	sessiontest.Must(t, err)
	target, err := bbolt.Open(to, 0o600, nil)
	sessiontest.Must(t, err)
	sessiontest.Must(t, source.View(func(in *bbolt.Tx) error {
		return target.Update(func(out *bbolt.Tx) error {
			for _, name := range []string{"queue", "queue-dead", "queue-seen"} {
				bucket, err := out.CreateBucket([]byte(name))
				sessiontest.Must(t, err)
				sessiontest.Must(t, in.Bucket([]byte(name)).ForEach(bucket.Put))
			}
			return nil
		})
	}))
	sessiontest.Must(t, source.Close())
	sessiontest.Must(t, target.Close())
}

// TestKinds: two queues in one file do not affect each other.
func TestKinds(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	defer closeFile(t, file)
	limits := queue.Limits{Entries: 10, Bytes: 1 << 20, Dead: 10}
	for _, kind := range []string{"event", "events"} {
		if n, err := boltqueue.New(file, kind, limits).Append(t.Context(), []*queue.Entry{{ID: kind, Order: "a"}}); err != nil || n != 1 {
			t.Fatalf("added %d, %v", n, err)
		}
	}
	for _, kind := range []string{"event", "events"} {
		s := boltqueue.New(file, kind, limits)
		if e, _, err := s.Claim(t.Context(), 1); err != nil || e == nil || e.ID != kind {
			t.Errorf("%s has %+v, %v", kind, e, err)
		}
		if status, err := s.Status(t.Context()); err != nil || status.Entries != 1 {
			t.Errorf("%s has %+v, %v", kind, status, err)
		}
	}
}
