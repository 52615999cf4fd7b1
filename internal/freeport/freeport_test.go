package freeport

import (
	"net"
	"testing"
)

// TestTake: no port is returned twice, and none that something listens on.
func TestTake(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	used := taken.Addr().(*net.TCPAddr).Port
	r := Range{First: used - 1, Count: 3}
	seen := map[int]bool{used: true}
	for range r.Count - 1 {
		port, err := r.Take()
		if err != nil {
			continue // another process has the port
		}
		if seen[port] || port < r.First || port >= r.First+r.Count {
			t.Errorf("port %d, with %v taken", port, seen)
		}
		seen[port] = true
	}
	if port, err := r.Take(); err == nil {
		t.Errorf("port %d, although the range is used up", port)
	}
}
