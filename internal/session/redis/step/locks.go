package step

import (
	"context"
	"sync"
)

// Locks serializes the steps of one process that change the same key. Otherwise Redis would
// accept one of several simultaneous steps, and the others would have to read again, as still
// happens between processes.
type Locks struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	turn  chan struct{} // has one element while the lock is free
	users int           // guarded by Locks.mu
}

// Lock waits until the lock is free, or ctx ends.
func (l *Locks) Lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	lock, ok := l.held[key]
	if !ok {
		if l.held == nil {
			l.held = make(map[string]*keyLock)
		}
		lock = &keyLock{turn: make(chan struct{}, 1)}
		lock.turn <- struct{}{}
		l.held[key] = lock
	}
	lock.users++
	l.mu.Unlock()
	select {
	case <-lock.turn:
		return func() {
			lock.turn <- struct{}{}
			l.leave(key, lock)
		}, nil
	case <-ctx.Done():
		l.leave(key, lock)
		return nil, ctx.Err()
	}
}

func (l *Locks) leave(key string, lock *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.held, key)
	}
}
