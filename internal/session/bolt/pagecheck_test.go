package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// Constants of the layout of bbolt: see package pages.
const (
	pageHead   = 16
	branchFlag = 0x01
)

// damagedFile creates a file with many sessions and one leaf page with impossible sizes.
func damagedFile(t *testing.T, box *seal.Box) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	fillFile(t, path, box, 1000)
	db, err := database.Open(path, true, database.EveryBucket)
	if err != nil {
		t.Fatal(err)
	}
	var root uint64
	_ = db.View(func(tx *bbolt.Tx) error { root = uint64(tx.Bucket(layout.Sessions).Root()); return nil })
	size := db.Info().PageSize
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	branch := text[int(root)*size:]
	if binary.NativeEndian.Uint16(branch[8:]) != branchFlag {
		t.Fatal("the sessions fit one page")
	}
	leaf := text[int(binary.NativeEndian.Uint64(branch[pageHead+8:]))*size:]
	binary.NativeEndian.PutUint32(leaf[pageHead+12:], 1<<31) // the size of the first value
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDamageIsFoundAfterOpening: a large file opens before all of its pages are read. Damage
// that is found later is reported once, and nothing is written.
func TestDamageIsFoundAfterOpening(t *testing.T) {
	t.Parallel()
	box, err := seal.New(bytes.Repeat([]byte("1"), seal.MinSecretBytes))
	if err != nil {
		t.Fatal(err)
	}
	path := damagedFile(t, box)
	if _, err := Open(path, session.Options{}); !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("Open: %v, want ErrCorrupt with advice", err)
	}
	reported := make(chan error, 2)
	file, err := openFile(path, session.Options{OnError: func(err error) { reported <- err }}, 0)
	if err != nil {
		t.Fatal(err)
	}
	store, err := file.Store(box, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	user := auth.User{App: "wx4f4bc4dec97d474b", OpenID: "o1"}
	_, created := store.Create(t.Context(), &auth.Session{ID: auth.NewSessionID(time.Now(), user), User: user}, auth.SessionKey{}, auth.SessionLimit{})
	_, read := store.Session(t.Context(), auth.NewSessionID(time.Now(), user))
	_, swept := file.Sweep(t.Context(), time.Now(), 1)
	for name, err := range map[string]error{"Create": created, "Session": read, "Sweep": swept, "Ready": file.Ready(t.Context())} {
		if !errors.Is(err, session.ErrCorrupt) || !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	if err := <-reported; !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("reported %v", err)
	}
	if err := file.Close(); err != nil || len(reported) != 0 {
		t.Errorf("Close: %v, %d more reports", err, len(reported))
	}
}

// TestWaitForThePages: calls wait for the check until their context ends, and closing the
// file ends the check without a report.
func TestWaitForThePages(t *testing.T) {
	t.Parallel()
	c := &pageCheck{cancel: func() {}, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.wait(ctx); !errors.Is(err, auth.ErrStoreUnavailable) || !errors.Is(err, context.Canceled) || c.finished() {
		t.Errorf("got %v, finished %t", err, c.finished())
	}
	close(c.done)
	if err := c.wait(t.Context()); err != nil || !c.finished() {
		t.Errorf("got %v, finished %t", err, c.finished())
	}
	c = &pageCheck{done: make(chan struct{}), err: context.Canceled}
	close(c.done)
	f := &File{path: "x", pages: c}
	if err := f.sound(t.Context()); !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, session.ErrCorrupt) {
		t.Errorf("a check that was stopped: %v", err)
	}
}
