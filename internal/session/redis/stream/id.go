// Package stream has what a replica knows about the streams of revocations in Redis.
package stream

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/session"
)

// ID is the ID of an entry: Unix milliseconds of Redis's clock, and a number within the
// millisecond.
type ID struct{ ms, seq uint64 }

// ParseID parses an entry ID; [session.ErrCorrupt] for anything else.
func ParseID(s string) (ID, error) {
	left, right, ok := strings.Cut(s, "-")
	ms, err := strconv.ParseUint(left, 10, 64)
	seq, err2 := strconv.ParseUint(right, 10, 64)
	if !ok || err != nil || err2 != nil {
		return ID{}, fmt.Errorf("%w: a stream entry with the ID %q", session.ErrCorrupt, s)
	}
	return ID{ms: ms, seq: seq}, nil
}

// String is the inverse of ParseID.
func (id ID) String() string {
	return strconv.FormatUint(id.ms, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

// Compare returns -1, 0 or 1, like [cmp.Compare].
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.ms, other.ms), cmp.Compare(id.seq, other.seq))
}

// Back returns the ID that is d earlier.
func (id ID) Back(d time.Duration) ID {
	return ID{ms: id.ms - min(id.ms, uint64(d.Milliseconds()))} //nolint:gosec // G115: d is a positive constant
}
