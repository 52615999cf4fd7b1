package transport

import (
	"net"
	"testing"
	"time"
)

// connect returns the two ends of a connection.
func connect(t *testing.T) (ours *conn, theirs net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = dialed.Close(), theirs.Close() })
	ours = newConn(dialed, "upstream")
	if !ours.release() {
		t.Fatal("the connection cannot be used again")
	}
	return ours, theirs
}

// TestSweep: idle connections that have expired, or that the upstream has closed, are closed
// soon, and no timer runs without idle connections.
func TestSweep(t *testing.T) {
	t.Parallel()
	start := time.Now()
	p := &pool{maxIdle: 10, timeout: time.Minute}
	stays, _ := connect(t)
	expires, _ := connect(t)
	left, theirs := connect(t)
	p.put(expires, start)
	p.put(left, start.Add(30*time.Second))
	p.put(stays, start.Add(30*time.Second))
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	p.sweep(start.Add(time.Minute))
	if list := p.conns["upstream"]; len(list) != 1 || list[0] != stays || p.timer == nil {
		t.Errorf("%d connections are left, timer %t", len(list), p.timer != nil)
	}
	for name, c := range map[string]*conn{"expired": expires, "closed": left} {
		if err := c.SetDeadline(start); err == nil {
			t.Errorf("the %s connection is open", name)
		}
	}
	p.sweep(start.Add(time.Hour))
	if len(p.conns) != 0 || p.timer != nil {
		t.Errorf("%d hosts are left, timer %t", len(p.conns), p.timer != nil)
	}
	p.put(connectOnly(t), start)
	if p.timer == nil {
		t.Error("no timer runs for a new connection")
	}
	p.sweep(start.Add(time.Hour))
}

func connectOnly(t *testing.T) *conn {
	t.Helper()
	c, _ := connect(t)
	return c
}

// TestPoolReturnsOpenConnections: get returns the newest first, and no connection that is
// closed.
func TestPoolReturnsOpenConnections(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := &pool{maxIdle: 2}
	oldest, _ := connect(t)
	written, theirs := connect(t)
	surplus, _ := connect(t)
	p.put(oldest, now)
	p.put(written, now)
	p.put(surplus, now)
	if err := surplus.SetDeadline(now); err == nil {
		t.Error("more connections are kept than allowed")
	}
	if _, err := theirs.Write([]byte("H")); err != nil {
		t.Fatal(err)
	}
	if c, idle := p.get("upstream", now.Add(time.Second)); c != oldest || idle != time.Second {
		t.Errorf("got another connection, idle for %s", idle)
	}
	if err := written.SetDeadline(now); err == nil {
		t.Error("a connection with unread bytes is open")
	}
	if c, _ := p.get("upstream", now); c != nil {
		t.Error("a connection was returned twice")
	}
	if c, _ := p.get("another", now); c != nil {
		t.Error("a connection to another upstream")
	}
	p.sweep(now)
}

// TestOldConnections: a connection without an idle timeout still expires before the upstream
// closes it.
func TestOldConnections(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		idle, timeout, keep time.Duration
		want                bool
	}{
		"no timeout":              {time.Hour, 0, 0, false},
		"before the timeout":      {time.Minute - 1, time.Minute, 0, false},
		"at the timeout":          {time.Minute, time.Minute, 0, true},
		"the upstream keeps it":   {3 * time.Second, time.Minute, 5 * time.Second, false},
		"the upstream will close": {4 * time.Second, time.Minute, 5 * time.Second, true},
	} {
		if got := (&conn{since: now.Add(-tc.idle), keep: tc.keep}).expired(now, tc.timeout); got != tc.want {
			t.Errorf("%s: expired %t", name, got)
		}
	}
}
