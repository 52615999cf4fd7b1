package bolt_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// closedFile creates a store with sessions, keys and revocations, and closes it.
func closedFile(t testing.TB, c *sessiontest.Clock) string {
	t.Helper()
	path := tempFile(t)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	for range 30 {
		sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
		sessiontest.End(t, store, sessiontest.Begin(t, store, sessiontest.OtherAlice, c, "k3").ID)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.OtherAlice, c.Now(), time.Time{})))
	sessiontest.Must(t, file.Close())
	return path
}

// wantRefused opens and checks the file, and expects the same class of error from both, with
// advice.
func wantRefused(t *testing.T, path string, want error, advice string) {
	t.Helper()
	_, openErr := bolt.Open(path, session.Options{})
	_, checkErr := bolt.Check(path)
	_, _, compactErr := bolt.Compact(path)
	for name, err := range map[string]error{"OpenFile": openErr, "Check": checkErr, "Compact": compactErr} {
		if !errors.Is(err, want) || !strings.Contains(err.Error(), advice) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v that names the file and says %q", name, err, want, advice)
		}
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	openFile(t, path, sessiontest.NewClock())
	wantRefused(t, path, session.ErrLocked, "stop that one")
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := closedFile(t, sessiontest.NewClock())
	edit(t, path, func(b buckets) { b.put("meta", "schema", []byte("4")) })
	wantRefused(t, path, session.ErrNewerSchema, "run the newer wxgate")
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"text": func(t *testing.T, path string) {
			sessiontest.Must(t, os.WriteFile(path, []byte(strings.Repeat("not a database\n", 5000)), 0o600))
		},
		"one byte": func(t *testing.T, path string) { sessiontest.Must(t, os.WriteFile(path, []byte{1}, 0o600)) },
		"cut in half": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			sessiontest.Must(t, err)
			sessiontest.Must(t, os.Truncate(path, info.Size()/2))
		},
		"zero after the head": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			sessiontest.Must(t, err)
			sessiontest.Must(t, os.Truncate(path, 2*4096))
			sessiontest.Must(t, os.Truncate(path, info.Size()))
		},
		"unknown schema": func(t *testing.T, path string) {
			edit(t, path, func(b buckets) { b.put("meta", "schema", []byte("one")) })
		},
		"bucket missing": func(t *testing.T, path string) {
			edit(t, path, func(b buckets) { sessiontest.Must(t, b.tx.DeleteBucket([]byte("ends"))) })
		},
		"of another program": func(t *testing.T, path string) {
			sessiontest.Must(t, os.Remove(path))
			edit(t, path, func(b buckets) {
				_, err := b.tx.CreateBucket([]byte("theirs"))
				sessiontest.Must(t, err)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := closedFile(t, sessiontest.NewClock())
			spoil(t, path)
			wantRefused(t, path, session.ErrCorrupt, "move it away")
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	path := closedFile(t, c)
	report, err := bolt.Check(path)
	sessiontest.Must(t, err)
	if len(report.Problems) != 0 || report.Sessions != 60 || report.Users != 2 || report.Keys != 2 ||
		report.Revocations != 31 || report.Schema != 3 || report.Bytes == 0 {
		t.Fatalf("got %+v", report)
	}
	for bucket, drop := range map[string]func(buckets, string){
		"sessions": buckets.drop, "users": buckets.drop, "ends": buckets.drop, "revocations": buckets.drop,
		"recent-b": buckets.dropAll, // which also has ended sessions
	} {
		path := closedFile(t, c)
		edit(t, path, func(b buckets) { drop(b, bucket) })
		report, err := bolt.Check(path)
		sessiontest.Must(t, err)
		if len(report.Problems) == 0 {
			t.Errorf("a missing entry of %s was not reported", bucket)
		}
	}
	if _, err := bolt.Check(path + ".not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	c, path, box := sessiontest.NewClock(), tempFile(t), sessiontest.MustBox(t, sessiontest.SecretOne)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, box)
	kept := sessiontest.Begin(t, store, sessiontest.Bob, c, "k1")
	for range 300 {
		s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
		c.Advance(1e6)
		sessiontest.End(t, store, s.ID)
	}
	c.Advance(sessiontest.Access)
	_, err = file.Sweep(t.Context(), c.Now(), 100)
	sessiontest.Must(t, err)
	sessiontest.Must(t, file.Close())
	sessiontest.Must(t, os.WriteFile(path+".compact", []byte("left by a crash"), 0o600))

	before, after, err := bolt.Compact(path)
	sessiontest.Must(t, err)
	if info, err := os.Stat(path); err != nil || after >= before || info.Size() != after || info.Mode() != 0o600 {
		t.Fatalf("%d bytes became %d; %v, %v", before, after, info, err)
	}
	if _, err := os.Stat(path + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
	report, err := bolt.Check(path)
	if err != nil || len(report.Problems) != 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
	if _, err := openAt(t, path, c, box).Session(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
}

// TestOpenFollowsAReplacedFile: a gateway that starts while a compaction ends may lock the old
// file, which will never be opened again. It must then open the new file.
func TestOpenFollowsAReplacedFile(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	path := closedFile(t, c)
	old, err := bbolt.Open(path, 0o600, nil)
	sessiontest.Must(t, err)
	done := make(chan error)
	go func() {
		file, err := bolt.Open(path, session.Options{Now: c.Now})
		if err == nil {
			err = file.Close()
		}
		done <- err
	}()
	good, err := os.ReadFile(path)
	sessiontest.Must(t, err)
	sessiontest.Must(t, os.WriteFile(path+".new", good, 0o600))
	sessiontest.Must(t, os.Rename(path+".new", path))
	sessiontest.Must(t, old.Close())
	sessiontest.Must(t, <-done)
	if report, err := bolt.Check(path); err != nil || len(report.Problems) > 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
}
