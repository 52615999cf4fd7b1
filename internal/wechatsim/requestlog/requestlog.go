// Package requestlog has the requests that the API of the simulator received.
package requestlog

import (
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// maxRequests is how many requests are kept; the oldest go first.
	maxRequests = 10_000

	// maxLoggedBody is how much of a body is kept, 8 KiB. Every body the API
	// understands is shorter.
	maxLoggedBody = 8 << 10

	// maxCounted is how many different paths are counted, a guard against a
	// client that asks for a new one each time.
	maxCounted = 1_000
)

// A Request is one request that the API received, with its secrets, since all of them are
// made up. Result and ErrCode are the outcome of the call, even if a fault then replaced the
// response; Fault says which.
type Request struct {
	ID      int            `json:"id"` // counted from 1, again after Clear
	Method  string         `json:"method"`
	Path    string         `json:"path"`
	Query   url.Values     `json:"query"`
	Body    string         `json:"body,omitempty"`
	Time    time.Time      `json:"time"`
	Result  protocol.Class `json:"answer,omitempty"`
	ErrCode int            `json:"errcode,omitempty"`
	Fault   fault.Kind     `json:"fault,omitempty"`
}

// A Log has the requests that the API received, newest last. The zero value is ready to use,
// and its methods are safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	list   []*Request
	counts map[string]int
	total  int
}

// Add notes a request as it arrives, so that one that hangs is seen too. It sets the ID.
func (l *Log) Add(r Request) *Request {
	r.Body = r.Body[:min(len(r.Body), maxLoggedBody)]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxRequests {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, &r)
	l.total++
	r.ID = l.total
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	if _, known := l.counts[r.Path]; known || len(l.counts) < maxCounted {
		l.counts[r.Path]++
	}
	return &r
}

// Responded completes the entry of a request.
func (l *Log) Responded(r *Request, a protocol.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Result, r.ErrCode = a.Class, a.ErrCode
}

// Requests returns the requests seen, oldest first: all, or those of the paths
// given. Of more than 10,000 the newest are kept.
func (l *Log) Requests(path ...string) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make([]Request, 0, len(l.list))
	for _, r := range l.list {
		if len(path) == 0 || slices.Contains(path, r.Path) {
			found = append(found, *r)
		}
	}
	return found
}

// Count returns how many requests came, to all paths or to those given. It is
// exact also beyond what Requests keeps.
func (l *Log) Count(path ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(path) == 0 {
		return l.total
	}
	sum := 0
	for _, p := range path {
		sum += l.counts[p]
	}
	return sum
}

// Clear forgets the requests seen and starts the counts again.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.counts, l.total = nil, nil, 0
}
