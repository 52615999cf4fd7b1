package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/seal"
)

var (
	oldSecret = bytes.Repeat([]byte("o"), seal.MinSecretBytes)
	newSecret = bytes.Repeat([]byte("n"), seal.MinSecretBytes)
)

func mustBox(t testing.TB, secrets ...[]byte) *seal.Box {
	t.Helper()
	box, err := seal.New(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func mustSeal(t testing.TB, box *seal.Box, associated []byte) []byte {
	t.Helper()
	sealed, err := box.Seal("p", []byte("text"), associated)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestNewRefusesShortSecrets(t *testing.T) {
	t.Parallel()
	for want, secrets := range map[string][][]byte{
		"none given": {},
		"secret 1 has 0 bytes, at least 32 are needed":  {{}},
		"secret 1 has 31 bytes, at least 32 are needed": {make([]byte, 31)},
		"secret 2 has 5 bytes, at least 32 are needed":  {newSecret, []byte("short")},
	} {
		_, err := seal.New(secrets...)
		if !errors.Is(err, seal.ErrShortSecret) || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("got %v, want ErrShortSecret: %s", err, want)
		}
	}
}

// TestEmptyText: an empty text is sealed to the shortest valid value.
func TestEmptyText(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newSecret)
	sealed, err := box.Seal("p", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := box.Open("p", sealed, nil); err != nil || len(got) != 0 || len(sealed) != seal.Overhead {
		t.Fatalf("%d bytes opened to %q, %v", len(sealed), got, err)
	}
	if _, err := box.Open("p", sealed[:len(sealed)-1], nil); !errors.Is(err, seal.ErrUnreadable) {
		t.Fatalf("cut: got %v, want ErrUnreadable", err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	sealed := mustSeal(t, mustBox(t, oldSecret), []byte("aad"))
	got, err := mustBox(t, newSecret, oldSecret).Open("p", sealed, []byte("aad"))
	if err != nil || string(got) != "text" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := mustBox(t, newSecret).Open("p", sealed, []byte("aad")); !errors.Is(err, seal.ErrUnknownSecret) {
		t.Fatalf("got %v, want ErrUnknownSecret", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newSecret)
	sealed := mustSeal(t, box, []byte("aad"))
	flipped := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	for _, tc := range []struct {
		name, purpose, aad string
		sealed             []byte
		want               error
	}{
		{"other purpose", "q", "aad", sealed, seal.ErrUnreadable},
		{"other associated data", "p", "aae", sealed, seal.ErrUnreadable},
		{"other version", "p", "aad", flipped(0), seal.ErrUnreadable},
		{"other secret id", "p", "aad", flipped(1), seal.ErrUnknownSecret},
		{"salt changed", "p", "aad", flipped(5), seal.ErrUnreadable},
		{"nonce changed", "p", "aad", flipped(21), seal.ErrUnreadable},
		{"text changed", "p", "aad", flipped(33), seal.ErrUnreadable},
		{"tag changed", "p", "aad", flipped(len(sealed) - 1), seal.ErrUnreadable},
		{"cut", "p", "aad", sealed[:len(sealed)-1], seal.ErrUnreadable},
		{"empty", "p", "aad", nil, seal.ErrUnreadable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := box.Open(tc.purpose, tc.sealed, []byte(tc.aad)); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestSealedValuesDiffer(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newSecret)
	a, b := mustSeal(t, box, nil), mustSeal(t, box, nil)
	if bytes.Equal(a, b) {
		t.Fatal("the same plaintext was twice sealed to the same value")
	}
	if len(a) != len("text")+seal.Overhead {
		t.Fatalf("sealed %d bytes to %d, Overhead is %d", len("text"), len(a), seal.Overhead)
	}
}

func TestMACAndID(t *testing.T) {
	t.Parallel()
	one, other := mustBox(t, newSecret), mustBox(t, oldSecret)
	if !bytes.Equal(one.MAC("p", []byte("x")), mustBox(t, newSecret, oldSecret).MAC("p", []byte("x"))) {
		t.Error("the MAC changed although the newest secret did not")
	}
	for name, differs := range map[string][]byte{
		"secret":  other.MAC("p", []byte("x")),
		"purpose": one.MAC("q", []byte("x")),
		"data":    one.MAC("p", []byte("y")),
	} {
		if bytes.Equal(one.MAC("p", []byte("x")), differs) {
			t.Errorf("the MAC does not depend on the %s", name)
		}
	}
	if one.ID() == other.ID() {
		t.Error("two secrets have the same ID")
	}
}

func FuzzOpen(f *testing.F) {
	box, err := seal.New(newSecret)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mustSeal(f, box, nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plaintext, err := box.Open("p", sealed, nil)
		if err == nil && string(plaintext) != "text" {
			t.Fatalf("opened a forgery: %q", plaintext)
		}
	})
}

func TestValidMAC(t *testing.T) {
	t.Parallel()
	mac := mustBox(t, oldSecret).MAC("p", []byte("x"))
	both := mustBox(t, newSecret, oldSecret)
	for name, row := range map[string]struct {
		box           *seal.Box
		purpose, data string
		want          bool
	}{
		"rotated":       {both, "p", "x", true},
		"other secret":  {mustBox(t, newSecret), "p", "x", false},
		"other purpose": {both, "q", "x", false},
		"other data":    {both, "p", "y", false},
	} {
		if got := row.box.ValidMAC(row.purpose, []byte(row.data), mac); got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}
