package bolt_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestOpenRefusesACycle: opening finds a branch page that points to itself. bbolt would follow it
// until the process has no memory left, and every site of the process would go down.
func TestOpenRefusesACycle(t *testing.T) {
	t.Parallel()
	const pageSize, branchFlag = 4096, 1
	good, err := os.ReadFile(closedFile(t, sessiontest.NewClock()))
	sessiontest.Must(t, err)
	path := filepath.Join(t.TempDir(), "circle.db")
	branches := 0
	for id := 2; id < len(good)/pageSize; id++ {
		bad := append([]byte(nil), good...)
		page := bad[id*pageSize:]
		if binary.NativeEndian.Uint64(page) != uint64(id) || binary.NativeEndian.Uint16(page[8:]) != branchFlag {
			continue
		}
		binary.NativeEndian.PutUint64(page[16+8:], uint64(id)) // where the first element points
		sessiontest.Must(t, os.WriteFile(path, bad, 0o600))
		if _, err := bolt.Check(path); err == nil {
			continue // a free page
		}
		branches++
		file, err := bolt.Open(path, session.Options{})
		if err == nil {
			sessiontest.Must(t, file.Close())
		}
		if !errors.Is(err, session.ErrCorrupt) {
			t.Errorf("page %d points to itself: %v, want ErrCorrupt", id, err)
		}
	}
	if branches == 0 {
		t.Error("the file has no branches")
	}
}
