// Package problem returns errors to clients as RFC 9457 problem documents, one for each class
// of error that a client can handle. It also reads the bodies of requests; its errors describe
// what to change.
package problem

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// Problem is an error as shown to the client. Code is a stable string for programs; Detail
// describes to a developer what to do next. Both depend only on the class of the error: the
// cause is for the log.
//
// Requests share problems: copy one before you change it.
type Problem struct { //nolint:errname // RFC 9457 calls it a problem
	Status  int    // the HTTP status
	Code    string // an error code in docs/api.md
	Detail  string // one or two sentences; never quotes the request
	Chinese string // Detail in Chinese, for clients that prefer it; empty if there is none
	Errcode int    // WeChat's errcode; 0 if it has none

	// Bearer is the error code of the challenge (RFC 6750 section 3.1). If it is empty, a 401
	// has a challenge without an error code, and other statuses have no challenge.
	Bearer string

	// MaxAge is the maximum age of the login that the request requires (RFC 9470 section 3); 0
	// omits it from the challenge.
	MaxAge time.Duration

	// RetryAfter is the header Retry-After; 0 omits it.
	RetryAfter time.Duration

	// Cause is the error itself, for the log.
	Cause error

	// CodeNumber is written instead of Code, for client libraries that expect a number; if it
	// is 0, Code is written. Extension has further members (RFC 9457 section 3.2).
	CodeNumber int
	Extension  jsontext.Value

	inChinese bool // see [Problem.For]
}

// Of returns the problem of an error. It is the only place where an error becomes a response.
// An error without a class is a bug, which the problem reports without details.
func Of(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	for _, c := range classes {
		if !errors.Is(err, c.err) {
			continue
		}
		p = &Problem{Status: c.status, Code: c.code, Bearer: c.bearer, Cause: err}
		p.Detail = c.detail
		if errors.Is(err, auth.ErrUnsupported) {
			p.Detail = detailUnsupported
		}
		p.Chinese = chinese[p.Detail]
		if d, ok := errors.AsType[detailer](err); ok {
			p.Detail, p.Chinese = d.Detail(p.Detail), d.Detail(p.Chinese)
		}
		if platform, ok := errors.AsType[*auth.PlatformError](err); ok {
			p.Errcode, p.RetryAfter = platform.Code, platform.RetryAfter
		}
		if limit, ok := errors.AsType[*auth.LimitError](err); ok {
			p.RetryAfter = limit.RetryAfter
		}
		if budget, ok := errors.AsType[*auth.BudgetError](err); ok {
			p.RetryAfter = budget.RetryAfter
		}
		if old, ok := errors.AsType[*auth.LoginTooOldError](err); ok {
			p.MaxAge = old.MaxAge
		}
		if p.Status == http.StatusServiceUnavailable && p.RetryAfter == 0 {
			p.RetryAfter = defaultRetryAfter
		}
		return p
	}
	p = &Problem{Status: http.StatusInternalServerError, Code: codeInternal, Cause: err}
	p.SetDetail(detailInternal)
	return p
}

// Known reports whether a string is the code of a problem.
func Known(code string) bool {
	return code == codeInternal || slices.ContainsFunc(classes, func(c class) bool { return c.code == code })
}

// detailer is an error that rewrites the detail of its class: on other platforms, wx.login has
// another name.
type detailer interface {
	error
	Detail(class string) string
}

// BadRequest returns an [auth.ErrInvalidRequest] with status 400. Its detail, a format of
// [fmt.Sprintf], describes what to change, and must never quote the request.
func BadRequest(detail string, args ...any) *Problem {
	p := &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Cause: auth.ErrInvalidRequest}
	p.SetDetail(detail, args...)
	return p
}

// MethodNotAllowed is like [BadRequest], with status 405.
func MethodNotAllowed(detail string, args ...any) *Problem {
	p := BadRequest(detail, args...)
	p.Status = http.StatusMethodNotAllowed
	return p
}

// Forbidden returns an [auth.ErrForbidden] with status 403, for requests that no token would
// make valid.
func Forbidden(detail string) *Problem {
	p := Of(auth.ErrForbidden)
	p.Detail, p.Chinese, p.Bearer = detail, chinese[detail], ""
	return p
}

// Error implements the error interface, for the log.
func (p *Problem) Error() string { return p.Code + ": " + p.Cause.Error() }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }
