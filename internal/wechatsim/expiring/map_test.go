package expiring

import (
	"strconv"
	"testing"
	"time"
)

func TestPutDeletes(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)
	m := New[int]()
	m.Put("a", 1, start, start.Add(time.Minute))
	m.Put("b", 2, start.Add(time.Minute), start.Add(time.Hour))
	if _, ok := m.Get("a"); !ok {
		t.Error("a was deleted before its time")
	}
	m.Put("c", 3, start.Add(2*time.Minute), start.Add(time.Hour))
	if _, ok := m.Get("a"); ok {
		t.Error("a was not deleted")
	}
	if v, ok := m.Get("b"); v != 2 || !ok {
		t.Errorf("b = %d, %v", v, ok)
	}
}

func TestPutIsBounded(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)
	m := New[int]()
	for i := range maxEntries + 1 {
		m.Put(strconv.Itoa(i), i, start, start.Add(time.Hour))
	}
	n := 0
	for range m.All() {
		n++
	}
	if n != maxEntries {
		t.Errorf("%d entries, want %d", n, maxEntries)
	}
	if _, ok := m.Get("0"); ok {
		t.Error("the oldest entry was not deleted")
	}
}
