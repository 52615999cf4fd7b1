package caddymodule

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxBuckets bounds a limiter's memory, in entries of some 100 bytes. Keys
	// beyond it share one bucket, so that an attacker with many addresses slows
	// himself and not the process.
	maxBuckets = 100_000
)

// limiter keeps a token bucket for each key, in two generations: a bucket that
// nobody touched for its whole period is full again, and may be forgotten.
type limiter[K comparable] struct {
	n   int
	per time.Duration

	mu       sync.Mutex // guards all below
	turned   time.Time
	young    map[K]*rate.Limiter
	old      map[K]*rate.Limiter
	overflow *rate.Limiter
}

func newLimiter[K comparable](n int, per time.Duration) *limiter[K] {
	l := &limiter[K]{n: n, per: per, young: make(map[K]*rate.Limiter)}
	l.overflow = l.bucket()
	return l
}

func (l *limiter[K]) bucket() *rate.Limiter {
	return rate.NewLimiter(rate.Every(l.per/time.Duration(l.n)), l.n)
}

// take spends one of key's allowance, or says when the next one is due.
func (l *limiter[K]) take(key K, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	reservation := l.find(key, now).ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return limited(wait)
	}
	return nil
}

func (l *limiter[K]) find(key K, now time.Time) *rate.Limiter {
	if now.Sub(l.turned) >= l.per {
		if now.Sub(l.turned) >= 2*l.per {
			l.young = nil // nobody was here for a whole period
		}
		l.old, l.young, l.turned = l.young, make(map[K]*rate.Limiter), now
	}
	if b, ok := l.young[key]; ok {
		return b
	}
	if len(l.young) >= maxBuckets {
		return l.overflow
	}
	b, ok := l.old[key]
	if !ok {
		b = l.bucket()
	}
	l.young[key] = b
	return b
}

// Destruct forgets nothing: requests of an old configuration may still be counted.
func (*limiter[K]) Destruct() error { return nil }
