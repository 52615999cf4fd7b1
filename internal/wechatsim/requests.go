package wechatsim

import (
	"net/url"
	"slices"
	"sync"
	"time"

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

// A Request is one request the API has seen, secrets and all: nothing here is
// anyone's. Answer and ErrCode are what the work came to, even if a fault then
// kept the client from hearing it; Fault says which.
type Request struct {
	ID      int            `json:"id"` // counted from 1, again after ClearRequests
	Method  string         `json:"method"`
	Path    string         `json:"path"`
	Query   url.Values     `json:"query"`
	Body    string         `json:"body,omitempty"`
	Time    time.Time      `json:"time"`
	Answer  protocol.Class `json:"answer,omitempty"`
	ErrCode int            `json:"errcode,omitempty"`
	Fault   FaultKind      `json:"fault,omitempty"`
}

// A requestLog is what the API has seen, newest last.
type requestLog struct {
	mu     sync.Mutex
	list   []*Request
	counts map[string]int
	total  int
}

// add notes a request as it arrives, so that one that hangs is seen too.
func (l *requestLog) add(c call, fault FaultKind, now time.Time) *Request {
	r := &Request{
		Method: c.method, Path: c.path, Query: c.query, Time: now, Fault: fault,
		Body: string(c.body[:min(len(c.body), maxLoggedBody)]),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxRequests {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, r)
	l.total++
	r.ID = l.total
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	if _, known := l.counts[c.path]; known || len(l.counts) < maxCounted {
		l.counts[c.path]++
	}
	return r
}

// answered completes the note of a request.
func (l *requestLog) answered(r *Request, a protocol.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Answer, r.ErrCode = a.Class, a.ErrCode
}

// Requests returns the requests seen, oldest first: all, or those of the paths
// given. Of more than 10,000 the newest are kept.
func (s *Sim) Requests(path ...string) []Request {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	found := make([]Request, 0, len(s.seen.list))
	for _, r := range s.seen.list {
		if len(path) == 0 || slices.Contains(path, r.Path) {
			found = append(found, *r)
		}
	}
	return found
}

// Count returns how many requests came, to all paths or to those given. It is
// exact also beyond what Requests keeps.
func (s *Sim) Count(path ...string) int {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if len(path) == 0 {
		return s.seen.total
	}
	sum := 0
	for _, p := range path {
		sum += s.seen.counts[p]
	}
	return sum
}

// ClearRequests forgets the requests seen and starts the counts again.
func (s *Sim) ClearRequests() {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	s.seen.list, s.seen.counts, s.seen.total = nil, nil, 0
}
