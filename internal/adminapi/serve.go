package adminapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// Server serves the calls.
type Server struct {
	// Acquire returns the runtime of the configuration that runs now, which the caller
	// releases, and the logger of what operators do.
	Acquire func() (*gateway.Runtime, *zap.Logger, error)
}

// Error is why a call failed, with the status of its response.
type Error struct {
	Status int
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrUnknownApp is a call about an app that the running configuration does not have.
var ErrUnknownApp = errors.New("app is not configured")

// Serve responds to one call. An error is an [*Error], and nothing was written then.
func (s *Server) Serve(route Route, w http.ResponseWriter, r *http.Request) error {
	if r.Method != route.Method {
		w.Header().Set("Allow", route.Method)
		return &Error{http.StatusMethodNotAllowed, fmt.Errorf("method not allowed; use %s", route.Method)}
	}
	var body []byte
	if r.Method == http.MethodPost {
		var err error
		if body, err = problem.ReadBody(w, r); err != nil {
			return &Error{http.StatusBadRequest, err}
		}
	}
	rt, log, err := s.Acquire()
	if err != nil {
		return &Error{http.StatusServiceUnavailable, err}
	}
	defer rt.Release()
	result, subject, err := route.serve(r.Context(), rt, body)
	if route.Audited {
		auditCall(log, route, r, fieldsOf(subject, rt), cmp.Or(err, incomplete(result)))
	}
	if err != nil {
		return &Error{statusOf(err), err}
	}
	return gateway.WriteJSON(w, http.StatusOK, result)
}

// Partial is a response of a call that may have completed only a part of the request.
type Partial interface {
	Incomplete() error // why the rest was not done; nil if everything was done
}

func incomplete(response any) error {
	if p, ok := response.(Partial); ok {
		return p.Incomplete()
	}
	return nil
}

// auditCall logs one call of an operator: its name, its subject, the remote address and the
// outcome.
func auditCall(log *zap.Logger, route Route, r *http.Request, about []zap.Field, err error) {
	log.Info("admin call", append([]zap.Field{
		zap.String("call", route.Path[len(Prefix):]),
		zap.String("remote", r.RemoteAddr), // "@" or empty on a Unix socket
		zap.String("outcome", outcome(err)),
	}, about...)...)
}

func fieldsOf(subject Subject, rt *gateway.Runtime) []zap.Field {
	if subject == nil {
		return nil
	}
	return subject.Subject(rt)
}

func outcome(err error) string {
	switch {
	case err == nil:
		return metrics.OK
	case statusOf(err) == http.StatusNotFound:
		return "not_found"
	case errors.Is(err, keyring.ErrKeyGiven):
		return "key_configured"
	case errors.Is(err, ErrQueueFull):
		return "queue_full"
	}
	return problem.Of(err).Code
}

// badBody explains why a body is not a request of the call. It quotes no value of the body,
// because Caddy logs the error: a syntax error beside an openid would put the openid into the
// log.
func badBody(err error) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return fmt.Errorf("%w: the body must be one JSON object in UTF-8, without duplicate members", auth.ErrInvalidRequest)
	case errors.Is(semantic.Err, json.ErrUnknownName):
		return fmt.Errorf("%w: the body has an unrecognized member %q", auth.ErrInvalidRequest, semantic.JSONPointer.LastToken())
	}
	return fmt.Errorf("%w: the member %q has a wrong type", auth.ErrInvalidRequest, semantic.JSONPointer.LastToken())
}

// statusOf returns the status of an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, keyring.ErrUnknownKey), errors.Is(err, ErrUnknownApp), errors.Is(err, auth.ErrNoSession), errors.Is(err, ErrNothingStored), errors.Is(err, auth.ErrNoPerson), errors.Is(err, ErrNoLetter):
		return http.StatusNotFound
	case errors.Is(err, keyring.ErrKeyGiven), errors.Is(err, ErrQueueFull):
		return http.StatusConflict
	default:
		return problem.Of(err).Status
	}
}

// line is a call in the list of calls.
type line struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Purpose string `json:"purpose"`
}

// List describes the calls, for `GET /wxgate/`.
func List(w http.ResponseWriter) error {
	var lines []line
	for _, route := range append(Routes(), documentRoute) {
		lines = append(lines, line{route.Method, route.Path, route.Purpose})
	}
	return gateway.WriteJSON(w, http.StatusOK, lines)
}
