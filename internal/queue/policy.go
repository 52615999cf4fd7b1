package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// waitOrder is how long a message that cannot be delivered delays the next one of its
	// order. After that, out of order is better for a receiver than not at all.
	waitOrder = time.Hour
	// tryFor is how long delivery is attempted, from the first attempt: long enough for a
	// receiver that is down over night.
	tryFor = 24 * time.Hour
	// keepFor is the longest time for which a message is kept, so that nothing about an
	// erased user stays longer.
	keepFor = 7 * 24 * time.Hour

	// backoffFirst and backoffMost bound the wait between two attempts, which doubles with
	// each attempt: a restart of the receiver delays a message by seconds, and a receiver
	// that was down for hours gets everything within minutes.
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	// retryAfterMost bounds a Retry-After of the receiver.
	retryAfterMost = time.Hour
)

// StatusError is a response that is not a success.
type StatusError struct {
	Status     int           // HTTP
	Code       string        // the error code of the receiver; empty if it sent none
	RetryAfter time.Duration // 0 if the receiver sent none
}

// Error returns the status and the code.
func (e *StatusError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d %s", e.Status, e.Code)
}

// The reasons that are stored for network errors: a closed set of texts. The errors themselves
// may contain an address with a credential.
const (
	noResponse       = "no response"
	noResponseInTime = "no response in time"
	refused          = "connection refused"
	noConnection     = "no connection"
	noAddress        = "the receiver's name was not found"
	noLookup         = "the lookup of the receiver's name failed"
	badCertificate   = "the receiver's certificate is not accepted"
	noTLS            = "the TLS handshake failed"
)

// ErrRefused means that no attempt can deliver a message.
var ErrRefused = errors.New("the message cannot be sent")

// reason describes in a few words why an attempt failed.
func reason(err error) string {
	var status *StatusError
	switch {
	case errors.As(err, &status):
		return status.Error()
	case errors.Is(err, ErrRefused):
		return ErrRefused.Error()
	}
	return networkReason(err)
}

// networkReason describes why there was no response.
func networkReason(err error) string {
	var lookup *net.DNSError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var call net.Error
	var operation *net.OpError
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return noAddress
	case errors.As(err, &lookup):
		return noLookup
	case errors.As(err, &certificate):
		return badCertificate
	case errors.As(err, &alert), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return noTLS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &call) && call.Timeout():
		return noResponseInTime
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.As(err, &operation) && operation.Op == "dial":
		return noConnection
	}
	return noResponse
}

// final reports whether another attempt would fail too: the receiver refused the message
// itself.
func final(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return errors.Is(err, ErrRefused)
	}
	return status.Status >= http.StatusBadRequest && status.Status < http.StatusInternalServerError &&
		status.Status != http.StatusRequestTimeout && status.Status != http.StatusTooManyRequests
}

// backoff returns the wait after a failed attempt: a random time between half and all of the
// wait for this number of attempts, and at least the time that the receiver asks for. So
// messages that failed together are not retried together.
func backoff(attempts int, err error) time.Duration {
	const doublings = 9 // beyond backoffMost
	wait := min(backoffFirst<<min(max(attempts-1, 0), doublings), backoffMost)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // G404: a jitter is not a secret
	if status, ok := errors.AsType[*StatusError](err); ok {
		wait = max(wait, min(status.RetryAfter, retryAfterMost))
	}
	return wait
}
