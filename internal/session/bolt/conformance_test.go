package bolt_test

import (
	"testing"

	"fmt"
	"os"
	"path/filepath"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/session/sessiontest/counts"
	"github.com/wxgate/wxgate/internal/session/sessiontest/limits"
)

func TestFile(t *testing.T) { sessiontest.Conform(t, openStore) }

func TestFileCounts(t *testing.T) { counts.Conform(t, openStore) }

func TestFileLimits(t *testing.T) { limits.Conform(t, openStore) }

// TestModelFile crashes the file: it is closed without notice, or copied at the end of a commit,
// and the copy is used from then on.
func TestModelFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, box := sessiontest.NewClock(), sessiontest.MustBox(t, sessiontest.SecretOne)
		path := filepath.Join(dir, "0.db")
		open := func() (*bolt.File, sessiontest.Store) {
			file, err := bolt.Open(path, session.Options{Now: c.Now})
			sessiontest.Must(t, err)
			return file, storeOn(t, file, c, box)
		}
		file, store := open()
		generation := 0
		r := sessiontest.NewModelRun(t, c, store, nil)
		r.Crash = func() sessiontest.Store {
			old, from := file, path
			if r.Rand.IntN(2) == 0 { // power loss: only the current content of the disk remains
				generation++
				path = filepath.Join(dir, fmt.Sprintf("%d.db", generation))
				sessiontest.CopyFile(t, from, path)
			}
			sessiontest.Must(t, old.Close())
			wantSound(t, path)
			if path != from {
				sessiontest.Must(t, os.Remove(from))
			}
			var store sessiontest.Store
			file, store = open()
			return store
		}
		r.Run(*sessiontest.ModelOperations)
		sessiontest.Must(t, file.Close())
		wantSound(t, path)
	})
}

// wantSound checks a copy of the file. Another test may be starting a child, which keeps a
// read-only lock until it has closed its descriptors; when the file is opened again, the clock
// of a bubble does not wait for that.
func wantSound(t testing.TB, path string) {
	t.Helper()
	checked := path + ".checked"
	sessiontest.CopyFile(t, path, checked)
	if report, err := bolt.Check(checked); err != nil || len(report.Problems) > 0 {
		t.Fatalf("the file is not sound: %+v, %v", report, err)
	}
	sessiontest.Must(t, os.Remove(checked))
}
