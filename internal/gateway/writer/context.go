package writer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/edge"
)

// watchedContext is the context of a request whose response is watched. It has the redactor,
// and can be canceled. The first caller that waits for it, such as a transport, creates a
// context of the standard library. If no caller waits, it is not created.
type watchedContext struct {
	parent   context.Context //nolint:containedctx // it is a context
	writer   *Watched
	redactor edge.Redactor

	mu      sync.Mutex // guards the creation of the fields below
	created atomic.Bool
	inner   context.Context //nolint:containedctx // once created
	cancel  context.CancelCauseFunc
}

// Deadline implements [context.Context].
func (c *watchedContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Done implements [context.Context].
func (c *watchedContext) Done() <-chan struct{} { return c.cancelable().Done() }

// Err implements [context.Context].
func (c *watchedContext) Err() error { return c.current().Err() }

// Value implements [context.Context].
func (c *watchedContext) Value(key any) any {
	if value, ok := c.redactor.ContextValue(key); ok {
		return value
	}
	return c.current().Value(key)
}

func (c *watchedContext) current() context.Context {
	if c.created.Load() {
		return c.inner
	}
	return c.parent
}

// cancelable returns the context that end cancels.
func (c *watchedContext) cancelable() context.Context {
	if !c.created.Load() {
		c.create()
		c.writer.watchSoon() // a caller waits, so the request may take long
	}
	return c.inner
}

func (c *watchedContext) create() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.created.Load() {
		c.inner, c.cancel = context.WithCancelCause(c.parent)
		c.created.Store(true)
	}
}

// end cancels the context.
func (c *watchedContext) end(cause error) {
	c.create()
	c.cancel(cause)
}

// release frees the resources of the context. It is called when the request is over.
func (c *watchedContext) release() {
	if c.created.Load() {
		c.cancel(nil)
	}
}
