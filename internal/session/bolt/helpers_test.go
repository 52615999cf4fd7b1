package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func openStore(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "sessions.db"), c, sessiontest.MustBox(t, sessiontest.SecretOne))
}

// openAt opens a file that is closed by the test or at its end.
func openAt(t testing.TB, path string, c *sessiontest.Clock, box *seal.Box) sessiontest.Store {
	t.Helper()
	file := openFile(t, path, c)
	return storeOn(t, file, c, box)
}

func openFile(t testing.TB, path string, c *sessiontest.Clock) *bolt.File {
	t.Helper()
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, file.Close()) })
	return file
}

func storeOn(t testing.TB, file *bolt.File, c *sessiontest.Clock, box *seal.Box) sessiontest.Store {
	t.Helper()
	store, err := file.Store(box, c.Now)
	sessiontest.Must(t, err)
	return sessiontest.Store{Store: store, Set: file.Revocations(), Sweep: file.Sweep, Gauge: file.Counts, Count: func() session.Counts {
		walked := file.Count()
		if n, known := file.Counts(t.Context()); !known || n != walked {
			t.Errorf("Counts returned %+v, %v; a walk finds %+v", n, known, walked)
		}
		return walked
	}}
}

// tempFile returns the path of a store that does not exist yet, nor does its directory.
func tempFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data", "sessions.db")
}
