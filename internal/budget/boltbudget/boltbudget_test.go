package boltbudget_test

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/budget/boltbudget"
	"github.com/wxgate/wxgate/internal/budget/budgettest"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openFile(t testing.TB, path string) *bolt.File {
	t.Helper()
	file, err := bolt.Open(path, session.Options{})
	sessiontest.Must(t, err)
	return file
}

func TestConformance(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	t.Cleanup(func() { sessiontest.Must(t, file.Close()) })
	budgettest.Conform(t, func(testing.TB) budget.Store { return boltbudget.New(file) })
}

// TestReopen: a process continues the count of the previous one, also after a compaction.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wxgate.db")
	file := openFile(t, path)
	for range budgettest.Rate.Calls {
		budgettest.Reserve(t, boltbudget.New(file), "a", true)
	}
	sessiontest.Must(t, file.Close())
	_, _, err := bolt.Compact(path)
	sessiontest.Must(t, err)
	file = openFile(t, path)
	defer func() { sessiontest.Must(t, file.Close()) }()
	budgettest.Reserve(t, boltbudget.New(file), "a", false)
}

// TestUpgrade: counts are present after a file of an older schema was rewritten.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "older.db")
	sessiontest.CopyFile(t, "../../session/bolt/testdata/schema2.db", path)
	db, err := bbolt.Open(path, 0o600, nil)
	sessiontest.Must(t, err)
	budgettest.Reserve(t, boltbudget.New(plainFile{db}), "a", true)
	sessiontest.Must(t, db.Close())
	file := openFile(t, path)
	defer func() { sessiontest.Must(t, file.Close()) }()
	budgettest.Want(t, boltbudget.New(file), "a", 1)
}

// TestDamaged: if a count cannot be read, the call is refused.
func TestDamaged(t *testing.T) {
	file := openFile(t, filepath.Join(t.TempDir(), "wxgate.db"))
	defer func() { sessiontest.Must(t, file.Close()) }()
	s := boltbudget.New(file)
	budgettest.Reserve(t, s, "a", true)
	sessiontest.Must(t, file.Update(t.Context(), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("budgets")).Put([]byte("a"), []byte("{"))
	}))
	if _, err := s.Reserve(t.Context(), "a", budgettest.Rate); err == nil {
		t.Error("reserved")
	}
	if _, err := s.Current(t.Context(), "a", budgettest.Rate); err == nil {
		t.Error("read")
	}
	budgettest.Reserve(t, s, "b", true)
}
