package session

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// maxField is the longest string or byte field of a record, in bytes. The
// longest that wxgate writes are openids (64) and sealed successors (48).
const maxField = 1024

// A record is a version byte followed by fields in a fixed order. Each field has a fixed
// size or its length before it. Each value has exactly one encoding, so that decoding a
// record and encoding it again yields the same bytes.
//
// writer builds a record and keeps the first error.
type writer struct {
	b   []byte
	err error
}

func newWriter(version byte) *writer {
	return &writer{b: []byte{version}}
}

func (w *writer) fixed(b []byte) { w.b = append(w.b, b...) }

func (w *writer) bytes(b []byte) {
	if len(b) > maxField {
		w.err = fmt.Errorf("%w: field of %d bytes exceeds the limit of %d", ErrBadRecord, len(b), maxField)
		return
	}
	w.count(len(b))
	w.b = append(w.b, b...)
}

func (w *writer) text(s string) { w.bytes([]byte(s)) }

// time writes microseconds since 1970, a range that includes the zero time.
func (w *writer) time(t time.Time) {
	w.b = binary.BigEndian.AppendUint64(w.b, uint64(t.UnixMicro()))
}

func (w *writer) count(n int) {
	if n < 0 || n > math.MaxUint16 {
		w.err = fmt.Errorf("%w: a count of %d", ErrBadRecord, n)
		return
	}
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(n))
}

func (w *writer) byte(b byte) { w.b = append(w.b, b) }

func (w *writer) done() ([]byte, error) { return w.b, w.err }

// reader decodes a record and keeps the first error; later reads return zero values.
type reader struct {
	b       []byte
	version byte
	err     error
}

// newReader checks the version. A record with a newer version was written by another wxgate,
// and a guess at its content would be worse than a new login.
func newReader(record []byte, newest byte) *reader {
	r := &reader{b: record}
	r.version = r.byte()
	if r.err == nil && (r.version < 1 || r.version > newest) {
		r.err = fmt.Errorf("%w: version %d, this wxgate supports %d", ErrBadRecord, r.version, newest)
	}
	return r
}

func (r *reader) fixed(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.b) {
		r.err = fmt.Errorf("%w: %d bytes are missing", ErrBadRecord, n-len(r.b))
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) bytes() []byte {
	n := r.count()
	if n > maxField {
		r.err = fmt.Errorf("%w: a field of %d bytes", ErrBadRecord, n)
		return nil
	}
	return r.fixed(n)
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) time() time.Time {
	b := r.fixed(8)
	if r.err != nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))) //nolint:gosec // G115: the inverse of writer.time
}

func (r *reader) count() int {
	b := r.fixed(2)
	if r.err != nil {
		return 0
	}
	return int(binary.BigEndian.Uint16(b))
}

func (r *reader) byte() byte {
	b := r.fixed(1)
	if r.err != nil {
		return 0
	}
	return b[0]
}

// done returns the first error; unread bytes at the end are an error too.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%w: %d unexpected bytes at the end", ErrBadRecord, len(r.b))
	}
	return r.err
}
