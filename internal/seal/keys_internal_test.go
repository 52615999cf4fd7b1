package seal

import (
	"bytes"
	"errors"
	"testing"
)

func boxOf(t testing.TB) *Box {
	t.Helper()
	box, err := New(bytes.Repeat([]byte("n"), MinSecretBytes))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func sealOf(t testing.TB, box *Box) []byte {
	t.Helper()
	sealed, err := box.Seal("p", []byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// TestKeysAreUsedUp: a key seals a bounded number of values, each with a different nonce.
func TestKeysAreUsedUp(t *testing.T) {
	t.Parallel()
	box := boxOf(t)
	first := sealOf(t, box)
	if again := sealOf(t, box); saltOf(again) != saltOf(first) || bytes.Equal(again, first) {
		t.Errorf("the second value has the salt %x, the first %x; or both have the same nonce", saltOf(again), saltOf(first))
	}
	box.keys.sealing["p"].uses = maxUses
	later := sealOf(t, box)
	if saltOf(later) == saltOf(first) {
		t.Errorf("a key sealed more than %d values", maxUses)
	}
	if other, err := box.Seal("q", nil, nil); err != nil || saltOf(other) == saltOf(later) {
		t.Errorf("two purposes have the same salt, or %v", err)
	}
	for _, sealed := range [][]byte{first, later} {
		if got, err := box.Open("p", sealed, nil); err != nil || string(got) != "text" {
			t.Errorf("opened to %q, %v", got, err)
		}
	}
}

// TestKeptKeys: the number of kept keys is bounded, and only keys that opened something are kept.
func TestKeptKeys(t *testing.T) {
	t.Parallel()
	box := boxOf(t)
	forged := sealOf(t, box)
	forged[1+idBytes]++ // another salt
	if _, err := box.Open("p", forged, nil); !errors.Is(err, ErrUnreadable) || len(box.keys.kept) != 0 {
		t.Fatalf("%v; %d keys are kept after a forged value", err, len(box.keys.kept))
	}
	for range maxKept + 10 {
		box.keys.sealing["p"].uses = maxUses
		sealed := sealOf(t, box)
		for range 2 { // derived, and kept
			if got, err := box.Open("p", sealed, nil); err != nil || string(got) != "text" {
				t.Fatalf("opened to %q, %v", got, err)
			}
		}
	}
	if len(box.keys.kept) != maxKept {
		t.Errorf("%d keys are kept, want %d", len(box.keys.kept), maxKept)
	}
}

func BenchmarkSeal(b *testing.B) {
	box := boxOf(b)
	record, sealed := make([]byte, 200), sealOf(b, box)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := box.Seal("p", record, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := box.Open("p", sealed, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
