package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// hopByHop are the headers of one connection (RFC 9110 section 7.6.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// copyBytes is how much of an answer is under way at once.
const copyBytes = 32 << 10

// brokenAnswerError is an answer that ended early, on either side.
type brokenAnswerError struct{ cause error }

func (e *brokenAnswerError) Error() string { return "forwarding a response: " + e.cause.Error() }

func (e *brokenAnswerError) Unwrap() error { return e.cause }

// handOn copies WeChat's answer, status, headers and body, and only leaves out
// what belongs to the connection.
func handOn(w http.ResponseWriter, answer *http.Response) error {
	header := answer.Header.Clone()
	for _, value := range answer.Header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(header, name)
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(answer.StatusCode)
	var err error
	if answer.ContentLength < 0 { // it may come in pieces with time between them
		err = copyFlushing(w, answer.Body)
	} else {
		_, err = io.Copy(w, answer.Body)
	}
	if err != nil {
		return &brokenAnswerError{err}
	}
	return nil
}

func copyFlushing(w http.ResponseWriter, from io.Reader) error {
	flush := http.NewResponseController(w)
	buffer := make([]byte, copyBytes)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			if err := flush.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// abort ends the connection, or the stream, of an answer that is not whole: what
// arrived must not look as if it were. With the write deadline in the past, the
// server cannot send the end of the body.
func abort(w http.ResponseWriter) error {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("aborting an incomplete response: %w", err)
	}
	return nil
}

// openAPIProblem is problemOf in words for a service instead of a mini program.
func openAPIProblem(err error) *problem.Problem {
	if errors.Is(err, wechat.ErrLengthRequired) {
		p := problem.BadRequest("A body over 1 MiB requires a Content-Length: WeChat refuses one without.")
		p.Status = http.StatusLengthRequired
		p.Cause = err
		return p
	}
	p := problem.Of(err)
	switch {
	case errors.Is(err, auth.ErrWeChatTimeout):
		p.Detail = "WeChat did not respond in time. It may have carried out the call."
	case errors.Is(err, auth.ErrWeChatUnreadable):
		p.Detail = "WeChat's response ended early. It may have carried out the call."
	case errors.Is(err, auth.ErrWeChatUnreachable):
		p.Detail = "WeChat cannot be reached. Wait, then try again."
	case errors.Is(err, auth.ErrWeChatBusy):
		p.Detail = "WeChat is busy, or too many calls are under way. Wait, then try again."
	}
	return p
}
