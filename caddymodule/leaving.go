package caddymodule

import (
	"context"
	"errors"

	"github.com/quic-go/quic-go/http3"
)

// reverse_proxy warns of every answer that it cannot finish, and writes the
// request that it sent into that line, identity headers included. That a client
// went away in the middle is the everyday case of it and nothing to act on. Caddy
// knows as much of one error, that of an HTTP/3 client that cancels, and logs it
// at DEBUG. So that is what an ending of ours looks like.
//
// What remains a warning is an upstream that breaks off, and whatever a transport
// reports in words of its own: one that speaks HTTP/2 to the upstream, or FastCGI.

// errStreamEnded is why a stream's context is cancelled.
var errStreamEnded = &ending{errors.New("the token expired or its session was revoked, or nobody can say")}

// errCanceledH3 is the error of an HTTP/3 client that cancels its request.
var errCanceledH3 = &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestCanceled}

// ending is an answer that ends early for a reason on the client's side.
type ending struct{ cause error }

func (e *ending) Error() string { return e.cause.Error() }

// Unwrap lets errors.As find errCanceledH3.
func (e *ending) Unwrap() []error { return []error{e.cause, errCanceledH3} }

// Is matches reverse_proxy's unexported mark of an error that it met in writing to
// the client: an ending is found in reading from the upstream, once the context is
// done, and is of the client's making all the same.
func (e *ending) Is(target error) bool { return target.Error() == "writing" }

// untilClientLeaves is r's context but for the cause: when r's ends, it is an
// [ending] that the transport hands to whoever reads the upstream's answer.
func untilClientLeaves(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx := context.WithoutCancel(parent)
	release := func() {}
	if deadline, ok := parent.Deadline(); ok {
		ctx, release = context.WithDeadline(ctx, deadline)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(parent, func() { cancel(&ending{context.Cause(parent)}) })
	return ctx, func(cause error) {
		stop()
		cancel(cause)
		release()
	}
}
