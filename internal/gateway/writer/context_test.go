package writer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/edge"
)

type contextKey struct{}

// newWatchedContext returns the context of a response for which no caller has waited.
func newWatchedContext(parent context.Context) *Watched {
	return watch(httptest.NewRequestWithContext(parent, http.MethodGet, "/x", nil))
}

// TestWatchedContext: the context behaves like its parent until a caller waits for it. Then it
// ends with the session.
func TestWatchedContext(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), contextKey{}, "value"), time.Hour)
	defer cancel()
	w := newWatchedContext(parent)
	defer w.Release()
	if deadline, ok := w.ctx.Deadline(); !ok || time.Until(deadline) < time.Minute || w.ctx.Value(contextKey{}) != "value" || w.ctx.Err() != nil {
		t.Error("it does not behave like its parent")
	}
	r := httptest.NewRequestWithContext(&w.ctx, http.MethodGet, "/", nil)
	if redactor, ok := edge.RedactorOf(r); !ok || redactor != &w.ctx.redactor {
		t.Error("the context has no redactor")
	}
	if w.later != nil {
		t.Error("a timer runs, although no caller waits")
	}
	child, cancelChild := context.WithCancel(&w.ctx)
	defer cancelChild()
	if w.later == nil || w.ctx.Value(contextKey{}) != "value" || child.Err() != nil {
		t.Error("waiting for the context started no timer, or changed the context")
	}
	w.end()
	if <-child.Done(); !errors.Is(context.Cause(child), ErrEnded) || !errors.Is(w.ctx.Err(), context.Canceled) {
		t.Errorf("the context ended with %v, %v", context.Cause(child), w.ctx.Err())
	}
}

// A response can end before a caller has waited for its context, and together with its parent.
func TestWatchedContextEnds(t *testing.T) {
	t.Parallel()
	w := newWatchedContext(t.Context())
	w.end()
	if !errors.Is(w.ctx.Err(), context.Canceled) || !errors.Is(context.Cause(&w.ctx), ErrEnded) {
		t.Errorf("ended with %v, %v", w.ctx.Err(), context.Cause(&w.ctx))
	}
	if !w.Release() {
		t.Error("it was not aborted")
	}
	parent, cancel := context.WithCancel(t.Context())
	w = newWatchedContext(parent)
	done := w.ctx.Done()
	cancel()
	if <-done; w.Release() || !errors.Is(w.ctx.Err(), context.Canceled) {
		t.Errorf("with its parent: %v", w.ctx.Err())
	}
	w = newWatchedContext(t.Context())
	done = w.ctx.Done()
	w.Release()
	<-done // no caller waits for a request that is over
}
