package wechat

import (
	"context"
	"sync"
)

// tasks owns the goroutines that outlive the call that started them: a login whose
// caller left, the renewal of an access token. Each ends with ctx.
type tasks struct {
	ctx     context.Context //nolint:containedctx // it is the lifetime of the tasks
	cancel  context.CancelFunc
	mu      sync.Mutex // guards closed, and running.Add against running.Wait
	closed  bool
	running sync.WaitGroup
}

func newTasks() *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	return &tasks{ctx: ctx, cancel: cancel}
}

// begin reports whether another task may run, which must then call running.Done.
func (t *tasks) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.running.Add(1)
	return true
}

// outlive returns a context with the values of the caller's context, such as its trace. It ends
// with the tasks instead of with the caller. The task must call the returned function when it
// ends.
func (t *tasks) outlive(caller context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(caller))
	stop := context.AfterFunc(t.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.running.Wait()
}
