package successor_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/wxgate/wxgate/internal/auth/successor"
)

func TestSuccessor(t *testing.T) {
	t.Parallel()
	spent, next := bytes.Repeat([]byte("s"), 32), bytes.Repeat([]byte("n"), 32)
	sealed, err := successor.Seal(spent, next, "session")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := successor.Open(spent, sealed, "session"); err != nil || !bytes.Equal(got, next) {
		t.Fatalf("opened %q, %v", got, err)
	}
	if bytes.Contains(sealed, next[:8]) {
		t.Error("the sealed secret can be read")
	}
	changed := bytes.Clone(sealed)
	changed[0] ^= 1
	for name, open := range map[string]struct {
		spent, sealed []byte
		label         string
	}{
		"another spent secret": {next, sealed, "session"}, "another session": {spent, sealed, "other"},
		"changed": {spent, changed, "session"}, "cut": {spent, sealed[:len(sealed)-1], "session"}, "empty": {spent, nil, "session"},
	} {
		if got, err := successor.Open(open.spent, open.sealed, open.label); err == nil {
			t.Errorf("%s: opened %q", name, got)
		}
	}
}

// TestStoredSuccessor opens a secret sealed by an earlier wxgate: sessions outlive an upgrade.
func TestStoredSuccessor(t *testing.T) {
	t.Parallel()
	sealed, err := hex.DecodeString("43d5e31cbc48e5ab805d0c82f244dc29aaae47d8d1ad7d010201c684c6f1787264c3b36ff1372ae9fbb5d100367ad006")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := successor.Open(bytes.Repeat([]byte("s"), 32), sealed, "session"); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("n"), 32)) {
		t.Errorf("opened %q, %v", got, err)
	}
}
