package session_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
)

// closedFile is a store with sessions, keys and revocations, closed.
func closedFile(t testing.TB, c *clock) string {
	t.Helper()
	path := tempFile(t)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, mustBox(t, secretOne))
	for range 30 {
		begin(t, store, alice, c, "k1")
		begin(t, store, bob, c, "k2")
		end(t, store, begin(t, store, otherAlice, c, "k3").ID)
	}
	must(t, errOf(store.EndUser(t.Context(), otherAlice, c.Now(), time.Time{})))
	must(t, file.Close())
	return path
}

// wantRefused opens and checks the file, and wants one class of error from both,
// with advice.
func wantRefused(t *testing.T, path string, want error, advice string) {
	t.Helper()
	_, openErr := session.OpenFile(path, session.Options{})
	_, checkErr := session.Check(path)
	_, _, compactErr := session.Compact(path)
	for name, err := range map[string]error{"OpenFile": openErr, "Check": checkErr, "Compact": compactErr} {
		if !errors.Is(err, want) || !strings.Contains(err.Error(), advice) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v that names the file and says %q", name, err, want, advice)
		}
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	mustOpenFile(t, path, newClock())
	wantRefused(t, path, session.ErrLocked, "stop that one")
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := closedFile(t, newClock())
	edit(t, path, func(b buckets) { b.put("meta", "schema", []byte("2")) })
	wantRefused(t, path, session.ErrNewerSchema, "run the newer wxgate")
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"text": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("not a database\n", 5000)), 0o600))
		},
		"one byte": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte{1}, 0o600)) },
		"cut in half": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()/2))
		},
		"all but the head zero": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, 2*4096))
			must(t, os.Truncate(path, info.Size()))
		},
		"schema of nobody": func(t *testing.T, path string) {
			edit(t, path, func(b buckets) { b.put("meta", "schema", []byte("one")) })
		},
		"bucket missing": func(t *testing.T, path string) {
			edit(t, path, func(b buckets) { must(t, b.tx.DeleteBucket([]byte("ends"))) })
		},
		"of another program": func(t *testing.T, path string) {
			must(t, os.Remove(path))
			edit(t, path, func(b buckets) {
				_, err := b.tx.CreateBucket([]byte("theirs"))
				must(t, err)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := closedFile(t, newClock())
			spoil(t, path)
			wantRefused(t, path, session.ErrCorrupt, "move it away")
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := closedFile(t, c)
	report, err := session.Check(path)
	must(t, err)
	if len(report.Problems) != 0 || report.Sessions != 60 || report.Users != 2 || report.Keys != 2 ||
		report.Revocations != 31 || report.Schema != 1 || report.Bytes == 0 {
		t.Fatalf("%+v", report)
	}
	for _, bucket := range []string{"sessions", "users", "ends", "revocations"} {
		path := closedFile(t, c)
		edit(t, path, func(b buckets) { b.drop(bucket) })
		report, err := session.Check(path)
		must(t, err)
		if len(report.Problems) == 0 {
			t.Errorf("an entry of %s is missing and nobody noticed", bucket)
		}
	}
	if _, err := session.Check(path + ".not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	c, path, box := newClock(), tempFile(t), mustBox(t, secretOne)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, box)
	kept := begin(t, store, bob, c, "k1")
	for range 300 {
		s := begin(t, store, alice, c, "k2")
		c.advance(1e6)
		end(t, store, s.ID)
	}
	c.advance(access)
	_, err = file.Sweep(t.Context(), c.Now(), 100)
	must(t, err)
	must(t, file.Close())
	must(t, os.WriteFile(path+".compact", []byte("left by a crash"), 0o600))

	before, after, err := session.Compact(path)
	must(t, err)
	if info, err := os.Stat(path); err != nil || after >= before || info.Size() != after || info.Mode() != 0o600 {
		t.Fatalf("%d bytes became %d; %v, %v", before, after, info, err)
	}
	if _, err := os.Stat(path + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
	report, err := session.Check(path)
	if err != nil || len(report.Problems) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := openBoltAt(t, path, c, box).Session(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
}

// A gateway that starts while a compaction ends wins the lock on the old file,
// which nobody will ever open again. It must take the new one.
func TestOpenFollowsAReplacedFile(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := closedFile(t, c)
	old, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	done := make(chan error)
	go func() {
		file, err := session.OpenFile(path, session.Options{Now: c.Now})
		if err == nil {
			err = file.Close()
		}
		done <- err
	}()
	good, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".new", good, 0o600))
	must(t, os.Rename(path+".new", path))
	must(t, old.Close())
	must(t, <-done)
	if report, err := session.Check(path); err != nil || len(report.Problems) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
}
