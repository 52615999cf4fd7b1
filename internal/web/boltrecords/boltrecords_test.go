package boltrecords_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/web/boltrecords"
	"github.com/wxgate/wxgate/internal/web/recordstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openFile(t testing.TB, path string) *bolt.File {
	t.Helper()
	file, err := bolt.Open(path, session.Options{})
	sessiontest.Must(t, err)
	return file
}

// newFile opens a file that is closed with the test.
func newFile(t testing.TB) *bolt.File {
	t.Helper()
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	t.Cleanup(func() { sessiontest.Must(t, file.Close()) })
	return file
}

func TestConformance(t *testing.T) {
	t.Parallel()
	clock, file := new(recordstest.Clock), newFile(t)
	recordstest.Conform(t, recordstest.Store{
		Open: func(testing.TB) web.Records { return boltrecords.New(file, clock.Now) }, Now: clock.Now, Pass: clock.Pass,
	})
}

func TestModelScans(t *testing.T) {
	t.Parallel()
	clock, file := new(recordstest.Clock), newFile(t)
	recordstest.ModelScans(t, recordstest.Store{
		Open: func(testing.TB) web.Records { return boltrecords.New(file, clock.Now) }, Now: clock.Now, Pass: clock.Pass,
	}, 3000, false)
}

// TestReopen: records are present after a restart, and after a compaction, until they expire.
func TestReopen(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	s := recordstest.Store{Now: clock.Now}
	path := filepath.Join(t.TempDir(), "wxgate.db")
	file := openFile(t, path)
	records := boltrecords.New(file, clock.Now)
	id := s.Add(t, records, "a", "value", time.Minute)
	recordstest.Want(t, "swap", records.Swap(t.Context(), id, []byte("value"), []byte("next")), nil)
	sessiontest.Must(t, file.Close())
	_, _, err := bolt.Compact(path)
	sessiontest.Must(t, err)
	file = openFile(t, path)
	defer func() { sessiontest.Must(t, file.Close()) }()
	records = boltrecords.New(file, clock.Now)
	recordstest.WantValue(t, records, id, "next")
	recordstest.Want(t, "add", records.Add(t.Context(), id, nil, clock.Now().Add(time.Hour)), web.ErrRecordExists)
	clock.Pass(time.Minute)
	recordstest.Want(t, "swap after its end", records.Swap(t.Context(), id, []byte("next"), nil), web.ErrNoRecord)
}

// plainFile is a file without sessions.
type plainFile struct{ db *bbolt.DB }

func (f plainFile) View(_ context.Context, fn func(*bbolt.Tx) error) error   { return f.db.View(fn) }
func (f plainFile) Update(_ context.Context, fn func(*bbolt.Tx) error) error { return f.db.Update(fn) }

// TestUpgrade: records are present after a file of an older schema was rewritten, and so is the
// index by which they are swept.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	s := recordstest.Store{Now: clock.Now}
	path := filepath.Join(t.TempDir(), "older.db")
	sessiontest.CopyFile(t, "../../session/bolt/testdata/schema2.db", path)
	db, err := bbolt.Open(path, 0o600, nil)
	sessiontest.Must(t, err)
	id := s.Add(t, boltrecords.New(plainFile{db}, clock.Now), "a", "value", time.Minute)
	sessiontest.Must(t, db.Close())
	file := openFile(t, path)
	defer func() { sessiontest.Must(t, file.Close()) }()
	records := boltrecords.New(file, clock.Now)
	recordstest.WantValue(t, records, id, "value")
	clock.Pass(time.Minute)
	s.Add(t, records, "b", "value", time.Minute)
	if n, ends := count(t, file); n != 1 || ends != 1 {
		t.Errorf("%d records and %d ends are in the file, want the one that has not expired", n, ends)
	}
}

// count counts the entries of the buckets.
func count(t testing.TB, file *bolt.File) (records, ends int) {
	t.Helper()
	sessiontest.Must(t, file.View(t.Context(), func(tx *bbolt.Tx) error {
		records, ends = tx.Bucket([]byte("web-records")).Stats().KeyN, tx.Bucket([]byte("web-ends")).Stats().KeyN
		return nil
	}))
	return records, ends
}

// TestSweep: each Add deletes a bounded number of expired records, and more than it adds.
func TestSweep(t *testing.T) {
	t.Parallel()
	clock, file := new(recordstest.Clock), newFile(t)
	s, records := recordstest.Store{Now: clock.Now}, boltrecords.New(file, clock.Now)
	const before, step = 40, 16
	for i := range before {
		s.Add(t, records, strconv.Itoa(i), "value", time.Minute)
	}
	kept := s.Add(t, records, "kept", "value", time.Hour)
	clock.Pass(time.Minute)
	for i, want := range []int{before + 2 - step, before + 3 - 2*step, 4, 5} {
		s.Add(t, records, "new "+strconv.Itoa(i), "value", time.Minute)
		if n, ends := count(t, file); n != want || ends != want {
			t.Errorf("after %d adds: %d records and %d ends, want %d", i+1, n, ends, want)
		}
	}
	recordstest.WantValue(t, records, kept, "value")
	recordstest.Want(t, "delete", records.Swap(t.Context(), kept, []byte("value"), nil), nil)
	if n, ends := count(t, file); n != 4 || ends != 4 {
		t.Errorf("after a delete: %d records and %d ends, want 4", n, ends)
	}
}

// TestDamaged: a record that cannot be read admits nothing.
func TestDamaged(t *testing.T) {
	t.Parallel()
	clock, file := new(recordstest.Clock), newFile(t)
	s, records := recordstest.Store{Now: clock.Now}, boltrecords.New(file, clock.Now)
	id := s.Add(t, records, "a", "value", time.Minute)
	sessiontest.Must(t, file.Update(t.Context(), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("web-records")).Put(id[:], []byte("short"))
	}))
	_, get := records.Get(t.Context(), id)
	for call, err := range map[string]error{
		"get": get, "swap": records.Swap(t.Context(), id, nil, nil), "add": records.Add(t.Context(), id, nil, clock.Now().Add(time.Hour)),
	} {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: %v, want ErrStoreUnavailable", call, err)
		}
	}
	s.Add(t, records, "b", "value", time.Minute)
}

// TestClosed: if the file is closed, the store is unavailable.
func TestClosed(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	records := boltrecords.New(file, clock.Now)
	sessiontest.Must(t, file.Close())
	_, get := records.Get(t.Context(), recordstest.ID("a"))
	for call, err := range map[string]error{
		"get": get, "swap": records.Swap(t.Context(), recordstest.ID("a"), nil, nil), "add": records.Add(t.Context(), recordstest.ID("a"), nil, clock.Now().Add(time.Hour)),
	} {
		if !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, web.ErrNoRecord) {
			t.Errorf("%s: %v, want ErrStoreUnavailable", call, err)
		}
	}
}
