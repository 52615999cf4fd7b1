package wechat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/wxgate/wxgate/internal/auth"
)

// MaxReplayBytes is how much of a forwarded call's body is kept, so that the call
// can be made again with a new token. A longer one goes out as it comes in, once.
const MaxReplayBytes = 1 << 20

// ErrLengthRequired is a body that is longer than [MaxReplayBytes] and does not
// say how long: WeChat answers such a one with a bare 412.
var ErrLengthRequired = errors.New("the body needs a Content-Length")

// replayable is the body of a forwarded call.
type replayable struct {
	whole  bool // all of it is in kept
	kept   []byte
	source *source // of the rest; nil when whole
	length int64
}

// newReplayable reads a body that can be kept, so that it is kept and its length
// known: WeChat requires one. Of a longer body it reads as much, so that a caller
// which sends nothing never gets to the call.
func newReplayable(body io.Reader, length int64) (*replayable, error) {
	if body == nil || length == 0 {
		return &replayable{whole: true}, nil
	}
	from := &source{from: body}
	var kept bytes.Buffer
	if length > MaxReplayBytes {
		if _, err := kept.ReadFrom(io.LimitReader(from, MaxReplayBytes)); err != nil || kept.Len() < MaxReplayBytes {
			return nil, fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, errCallerLeft)
		}
		from.from = io.MultiReader(&kept, body)
		return &replayable{source: from, length: length}, nil
	}
	if length > 0 {
		kept.Grow(int(length) + bytes.MinRead) // so that it is not grown once more to find the end
	}
	_, err := kept.ReadFrom(io.LimitReader(from, MaxReplayBytes+1))
	switch {
	case err != nil || length > int64(kept.Len()):
		return nil, fmt.Errorf("%w: %w: the request's body ended early", auth.ErrInvalidRequest, errCallerLeft)
	case kept.Len() > MaxReplayBytes:
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidRequest, ErrLengthRequired)
	}
	return &replayable{whole: true, kept: kept.Bytes(), length: int64(kept.Len())}, nil
}

// reader is the body and its length. One that is not whole can be had once.
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

// failed reports whether the caller's body broke off.
func (b *replayable) failed() bool { return b.source != nil && b.source.failed.Load() }

// source remembers that reading failed. The transport reads it in a goroutine of
// its own, and reports such a failure like any of the connection's.
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
