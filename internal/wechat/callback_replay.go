package wechat

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxHandled bounds the memory of handled pushes, in entries of some 60 bytes. Only
// WeChat's own messages get there, so that many in ten minutes are no attack.
const maxHandled = 100_000

// handled remembers which pushes were handled, for as long as their timestamp would
// be accepted again. A recorded push would otherwise end, within those minutes, the
// sessions that its user has begun since. It is this process's own: a reload or
// another machine does not know it.
type handled struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]time.Time
}

func (h *handled) has(digest [sha256.Size]byte, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.seen[digest]
	return ok && now.Sub(at) <= 2*callbackAge
}

func (h *handled) add(digest [sha256.Size]byte, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for old, at := range h.seen {
		if now.Sub(at) > 2*callbackAge {
			delete(h.seen, old)
		}
	}
	if h.seen == nil {
		h.seen = make(map[[sha256.Size]byte]time.Time)
	}
	if len(h.seen) < maxHandled {
		h.seen[digest] = now
	}
}

// Handled reports whether this very message was handled before. Of a message that
// is not encrypted, which anyone who has seen one can write, it is always false.
func (p Push) Handled() bool {
	return p.from != nil && p.from.handled.has(p.digest, p.from.cfg.Now())
}

// MarkHandled remembers the message. Call it when all was done: WeChat sends a
// message again that failed.
func (p Push) MarkHandled() {
	if p.from != nil {
		p.from.handled.add(p.digest, p.from.cfg.Now())
	}
}
