package wechat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
)

// MaxReplayBytes is the longest body of a forwarded call that is buffered, so that the
// call can be repeated with a new token. A longer body is streamed, and sent once.
const MaxReplayBytes = 1 << 20

// ErrLengthRequired is returned for a body of unknown length that is longer than
// [MaxReplayBytes]: WeChat responds to such a request with 412 and no explanation.
var ErrLengthRequired = errors.New("the body needs a Content-Length")

// replayable is the body of a forwarded call.
type replayable struct {
	whole  bool // kept is the whole body
	kept   []byte
	source *source // the rest of the body; nil if all of it is in kept
	length int64
}

// newReplayable reads up to [MaxReplayBytes] of a body. A shorter body is buffered and then has
// a length, which WeChat requires. Because the first part of a longer body is read here, a
// client that sends nothing cannot start a call.
func newReplayable(body io.Reader, length int64) (*replayable, error) {
	if body == nil || length == 0 {
		return &replayable{whole: true}, nil
	}
	from := &source{from: body}
	var kept bytes.Buffer
	if length > MaxReplayBytes {
		if _, err := kept.ReadFrom(io.LimitReader(from, MaxReplayBytes)); err != nil || kept.Len() < MaxReplayBytes {
			return nil, fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, guard.ErrCallerLeft)
		}
		from.from = io.MultiReader(&kept, body)
		return &replayable{source: from, length: length}, nil
	}
	if length > 0 {
		kept.Grow(int(length) + bytes.MinRead) // so that reading the end does not grow it again
	}
	_, err := kept.ReadFrom(io.LimitReader(from, MaxReplayBytes+1))
	switch {
	case err != nil || length > int64(kept.Len()):
		return nil, fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, guard.ErrCallerLeft)
	case kept.Len() > MaxReplayBytes:
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidRequest, ErrLengthRequired)
	}
	return &replayable{whole: true, kept: kept.Bytes(), length: int64(kept.Len())}, nil
}

// reader returns the body and its length. A body that is not whole can be read once.
func (b *replayable) reader() (io.Reader, int64) {
	switch {
	case !b.whole:
		return b.source, b.length
	case b.length == 0:
		return nil, 0
	default:
		return bytes.NewReader(b.kept), b.length
	}
}

// failed reports whether reading the caller's body failed.
func (b *replayable) failed() bool { return b.source != nil && b.source.failed.Load() }

// source remembers that reading failed. The transport reads the source in another goroutine,
// and reports such a failure as a failure of the connection.
type source struct {
	from   io.Reader
	failed atomic.Bool
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed.Store(true)
	}
	return n, err
}
