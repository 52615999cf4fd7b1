package callback

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxHandled bounds how many handled pushes are remembered, at some 60 bytes each. Only
// messages with a valid signature are remembered, so an attacker cannot fill the list.
const maxHandled = 100_000

// handled remembers which pushes were handled, for as long as their timestamp is
// accepted. It stops an attacker who replays a recorded push within those minutes
// from ending the sessions that its user started since. It is kept in memory: after
// a reload, and on another machine, it is empty.
type handled struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]time.Time
}

func (h *handled) has(digest [sha256.Size]byte, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.seen[digest]
	return ok && now.Sub(at) <= 2*maxAge
}

func (h *handled) add(digest [sha256.Size]byte, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for old, at := range h.seen {
		if now.Sub(at) > 2*maxAge {
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

// Handled reports whether the same message was handled before. It is always false for a message
// that is not encrypted: its signature covers no content, so anyone who has seen a signature
// can use it for another message.
func (p Push) Handled() bool {
	return p.from != nil && p.from.handled.has(p.digest, p.from.cfg.Now())
}

// MarkHandled remembers the message. Call it once the message took effect: WeChat
// sends a message again if handling it failed.
func (p Push) MarkHandled() {
	if p.from != nil {
		p.from.handled.add(p.digest, p.from.cfg.Now())
	}
}
