// Package webhook sends the messages of a queue to services, as HTTP requests.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/queue"
)

const (
	// dialTime and handshakeTime bound the connection setup, within the ten seconds of an attempt.
	dialTime      = 3 * time.Second
	handshakeTime = 3 * time.Second
	// idleTime is how long an unused connection stays open, well under the minute after
	// which common servers close it.
	idleTime = 20 * time.Second
	// idleConns is the number of simultaneous attempts.
	idleConns      = 8
	maxHeaderBytes = 16 << 10
)

// Sender sends requests to services. It is safe for concurrent use.
type Sender struct{ transport *http.Transport }

// New returns a sender. Close it.
func New() *Sender {
	return &Sender{&http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSHandshakeTimeout:    handshakeTime,
		IdleConnTimeout:        idleTime,
		MaxIdleConnsPerHost:    idleConns,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}}
}

// Close closes the idle connections.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Request is a POST to a service.
type Request struct {
	URL    string
	Header http.Header
	Body   []byte
	// MaxReply limits how much of the response's body is read, in bytes.
	MaxReply int64
}

// Response is the response of a service.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxReply bytes, or fewer if the connection was closed
}

// Post sends a request. It returns an error only if there is no response. Post uses RoundTrip:
// [http.Client] would follow a redirect and send the message, which names a user, to a host that
// the operator did not choose. The error may contain the URL.
func (s *Sender) Post(ctx context.Context, r Request) (*Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // err contains the URL
	}
	request.Header = r.Header.Clone()
	request.Header.Set("User-Agent", "wxgate")
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, r.MaxReply)) // the status determines whether it was delivered
	return &Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// Err returns nil for 2xx, and otherwise a [*queue.StatusError] with the error code of the
// service.
func (r *Response) Err(code string) error {
	if r.Status >= http.StatusOK && r.Status < http.StatusMultipleChoices {
		return nil
	}
	return &queue.StatusError{Status: r.Status, Code: code, RetryAfter: r.retryAfter()}
}

// retryAfter returns the wait that the service asks for (RFC 9110 section 10.2.3).
func (r *Response) retryAfter() time.Duration {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(tooLong/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// tooLong is longer than the queue waits, and does not overflow.
const tooLong = 30 * 24 * time.Hour
