// Package freeport finds ports for the servers of tests, before the servers start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// tries is how many ports are tried. One that is taken is rare.
const tries = 100

// Range is a range of ports. Choose one below the ports that the system gives to outgoing
// connections, from 32768 on: one of those might otherwise take a port before its server does.
// Test binaries that run at the same time need separate ranges. It is safe for concurrent use.
type Range struct {
	First, Count int

	given sync.Map // port -> nil
}

// Take returns a port that nothing listens on at 127.0.0.1, and that Take did not return
// before: a configuration with the same address twice does not load.
func (r *Range) Take() (int, error) {
	for range tries {
		port := r.First + rand.IntN(r.Count) //nolint:gosec // any port will do
		if _, given := r.given.LoadOrStore(port, nil); given {
			continue
		}
		if l, err := net.Listen("tcp", Addr(port)); err == nil { //nolint:noctx // it is closed at once
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port")
}

// Addr returns the address of a port on this machine.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
