package database

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
)

const entries = 400

// valueOf returns a value that identifies its key; some values span more than a page.
func valueOf(key, version uint64) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, key), version), 4+int(key%5)*100)
}

func putAll(t *testing.T, db *DB, version uint64) {
	t.Helper()
	err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		for key := range uint64(entries) {
			err = errors.Join(err, b.Put(binary.BigEndian.AppendUint64(nil, key), valueOf(key, version)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openTemp(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.TempDir()+"/w.db", false, EveryBucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// wantValues checks that a transaction sees one version of every value, and no zeros.
func wantValues(t *testing.T, tx *bbolt.Tx) {
	t.Helper()
	version := binary.BigEndian.Uint64(tx.Bucket(bucket).Get(make([]byte, 8))[8:])
	for key := range uint64(entries) {
		if got := tx.Bucket(bucket).Get(binary.BigEndian.AppendUint64(nil, key)); !bytes.Equal(got, valueOf(key, version)) {
			t.Errorf("value %d has %d bytes and begins with %x", key, len(got), got[:min(16, len(got))])
		}
	}
}

func check(t *testing.T, db *DB) {
	t.Helper()
	_ = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		wantValues(t, tx)
		return nil
	})
}

// TestWipe: a wipe leaves no byte of overwritten or deleted values, nor of what a commit wrote
// after the last page before a crash.
func TestWipe(t *testing.T) {
	t.Parallel()
	db := openTemp(t)
	for version := range uint64(6) {
		putAll(t, db, version)
	}
	mark := []byte("left by a commit after the last page")
	_ = db.View(func(tx *bbolt.Tx) error {
		if _, err := db.File.WriteAt(mark, tx.Size()+5000); err != nil {
			t.Error(err)
		}
		return nil
	})
	found := func() (versions []uint64, tail bool) {
		file, err := os.ReadFile(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		for version := range uint64(6) {
			if bytes.Contains(file, valueOf(1, version)[:32]) {
				versions = append(versions, version)
			}
		}
		return versions, bytes.Contains(file, mark)
	}
	if versions, tail := found(); len(versions) < 2 || !tail {
		t.Fatalf("versions %v before, tail %v: the test would prove nothing", versions, tail)
	}
	for range 2 {
		if err := db.Wipe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if versions, tail := found(); len(versions) != 1 || versions[0] != 5 || tail {
			t.Errorf("versions %v are in the file, tail %v; want only the last", versions, tail)
		}
	}
	check(t, db)
	putAll(t, db, 6)
	check(t, db)
}

// TestWipeAmongReadersAndWriters: readers and writers continue during a wipe, and no page in use
// is changed.
func TestWipeAmongReadersAndWriters(t *testing.T) {
	t.Parallel()
	db := openTemp(t)
	putAll(t, db, 0)
	var others sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		others.Go(func() {
			for !stop.Load() {
				_ = db.View(func(tx *bbolt.Tx) error { wantValues(t, tx); return nil })
			}
		})
	}
	others.Go(func() {
		for version := uint64(1); !stop.Load(); version++ {
			putAll(t, db, version)
			key := binary.BigEndian.AppendUint64(nil, rand.Uint64N(entries))
			if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, tx.Bucket(bucket).Get(key)) }); err != nil {
				t.Error(err)
			}
		}
	})
	for range 30 {
		if err := db.Wipe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	others.Wait()
	check(t, db)
}

// TestWipeWaitsForALongRead: a long read transaction makes a wipe wait, but not other readers.
func TestWipeWaitsForALongRead(t *testing.T) {
	t.Parallel()
	db := openTemp(t)
	for version := range uint64(6) { // growing the file waits for readers
		putAll(t, db, version)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*readersWait)
	defer cancel()
	err := db.View(func(tx *bbolt.Tx) error {
		key := binary.BigEndian.AppendUint64(nil, 7)
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, valueOf(7, 5)) }); err != nil {
			t.Error(err)
		}
		err := db.Wipe(ctx)
		wantValues(t, tx)
		return errors.Join(err, db.View(func(tx *bbolt.Tx) error { wantValues(t, tx); return nil }))
	})
	if !errors.Is(err, auth.ErrStoreUnavailable) || !errors.Is(err, errReading) {
		t.Errorf("got %v, want ErrStoreUnavailable because of the reader", err)
	}
	if err := db.Wipe(t.Context()); err != nil {
		t.Error(err)
	}
	check(t, db)
}

// TestWipeOfAClosedFile: wiping a closed file returns an error and does not panic.
func TestWipeOfAClosedFile(t *testing.T) {
	t.Parallel()
	db := openTemp(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Wipe(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("got %v, want ErrStoreUnavailable", err)
	}
}

// BenchmarkWipe wipes a file of 1 GiB with 3 of 4 pages free, for the first time and again,
// and reports the longest commit during the wipe.
func BenchmarkWipe(b *testing.B) {
	db, err := Open(b.TempDir()+"/w.db", false, EveryBucket)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const each, n = 4000, 250_000
	for at := 0; at < n; at += 50_000 {
		for _, keep := range []bool{true, false} {
			err := db.Update(func(tx *bbolt.Tx) error {
				bk, err := tx.CreateBucketIfNotExists(bucket)
				for i := range 50_000 {
					key := binary.BigEndian.AppendUint64(nil, uint64(at+i))
					switch {
					case keep:
						err = errors.Join(err, bk.Put(key, bytes.Repeat([]byte{1}, each)))
					case at > 0 && i%4 > 0:
						err = errors.Join(err, bk.Delete(key))
					}
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	var longest atomic.Int64
	var stop atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for !stop.Load() {
			began := time.Now()
			_ = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte("login"), make([]byte, 400)) })
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		}
	})
	for b.Loop() {
		if err := db.Wipe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	stop.Store(true)
	writer.Wait()
	b.ReportMetric(float64(longest.Load())/1e6, "ms/longest-commit")
	info, _ := db.File.Stat()
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
}
