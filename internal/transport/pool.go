package transport

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sweepInterval is how often idle connections are checked. A connection that the upstream has
// closed keeps its file descriptor for that long.
const sweepInterval = 5 * time.Second

// pool has the idle connections of all upstreams. No goroutine waits for them: a timer runs
// while there are idle connections.
type pool struct {
	maxIdle int           // for each upstream
	timeout time.Duration // of an idle connection; 0 means no timeout

	mu    sync.Mutex
	conns map[string][]*conn // by host, the newest last
	timer *time.Timer        // nil if there is no idle connection
}

// get returns an open idle connection to a host and how long it was idle, or nil. It prefers
// the newest, so that connections that are not needed expire.
func (p *pool) get(host string, now time.Time) (*conn, time.Duration) {
	for {
		c := p.pop(host)
		if c == nil {
			return nil, 0
		}
		if idle := now.Sub(c.since); !c.expired(now, p.timeout) && c.open() {
			c.acquire()
			return c, idle
		}
		c.end()
	}
}

func (p *pool) pop(host string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.conns[host]
	if len(list) == 0 {
		return nil
	}
	last := len(list) - 1
	c := list[last]
	list[last] = nil
	p.conns[host] = list[:last]
	return c
}

// put keeps a connection for the next request.
func (p *pool) put(c *conn, now time.Time) {
	c.since = now
	p.mu.Lock()
	full := len(p.conns[c.host]) >= p.maxIdle
	if !full {
		if p.conns == nil {
			p.conns = make(map[string][]*conn)
		}
		p.conns[c.host] = append(p.conns[c.host], c)
		if p.timer == nil {
			p.timer = time.AfterFunc(sweepInterval, func() { p.sweep(time.Now()) })
		}
	}
	p.mu.Unlock()
	if full {
		c.end()
	}
}

// sweep closes the connections that have expired or that the upstream has closed.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for host, list := range p.conns {
		kept := list[:0]
		for _, c := range list {
			// A connection that was used since the last sweep was checked when it was used.
			if c.expired(now, p.timeout) || now.Sub(c.since) > sweepInterval && !c.open() {
				c.end()
				continue
			}
			kept = append(kept, c)
		}
		clear(list[len(kept):])
		p.conns[host] = kept
		if len(kept) == 0 {
			delete(p.conns, host)
		}
	}
	if len(p.conns) == 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(sweepInterval)
}

// expired reports whether a connection has been idle for longer than this side allows, or
// almost as long as the upstream allows.
func (c *conn) expired(now time.Time, timeout time.Duration) bool {
	idle := now.Sub(c.since)
	return timeout > 0 && idle >= timeout || c.keep > 0 && idle >= c.keep-keepMargin
}

// keepMargin is how long before its expiry an idle connection is no longer used. Without it,
// the upstream might close the connection while a request is being sent, and a request that was
// sent is never repeated.
const keepMargin = time.Second

// keptAlive stores how long the upstream keeps the connection, if it sends "Keep-Alive:
// timeout=5", like Node.js and Apache (RFC 2068 section 19.7.1.1). It reports whether that is
// long enough to use the connection again.
func (c *conn) keptAlive(header http.Header) bool {
	values := header["Keep-Alive"]
	if len(values) == 0 {
		return true
	}
	for parameter := range strings.SplitSeq(values[0], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if seconds, err := strconv.ParseUint(value, 10, 31); err == nil && strings.EqualFold(name, "timeout") {
			c.keep = time.Duration(seconds) * time.Second
			return c.keep > keepMargin
		}
	}
	return true
}
