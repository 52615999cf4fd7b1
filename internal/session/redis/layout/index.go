package layout

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// IndexedSession is a session in its user's index, without its record. Times are rounded up
// to the millisecond.
type IndexedSession struct {
	ID             auth.SessionID
	End, AccessEnd time.Time
	Class          session.Class
}

// browser ends the line of a browser session. An older wxgate reads it as a session on
// [auth.DeviceOther].
const browser = ":b"

// IndexLine returns the value of a session in a user's index. See ParseIndexLine.
func IndexLine(s *auth.Session) string {
	line := MillisUp(s.End()) + ":" + MillisUp(s.AccessEnd) + ":" + strconv.Itoa(int(s.Device))
	if s.Door.Browser() {
		line += browser
	}
	return line
}

// ParseIndexLine reads a field of a user's index and its value. In lines that an older
// wxgate wrote, the device is [auth.DeviceOther].
func ParseIndexLine(id, line string) IndexedSession {
	line, isBrowser := strings.CutSuffix(line, browser)
	end, rest, _ := strings.Cut(line, ":")
	accessEnd, number, _ := strings.Cut(rest, ":")
	device, err := strconv.ParseUint(number, 10, 8)
	if err != nil {
		device = uint64(auth.DeviceOther)
	}
	class := session.Class{Browser: isBrowser, Device: auth.Device(device)}
	return IndexedSession{ID: auth.SessionID(id), End: ParseMillis(end), AccessEnd: ParseMillis(accessEnd), Class: class}
}

// Compare orders sessions by their start.
func (s IndexedSession) Compare(other IndexedSession) int {
	return cmp.Or(s.ID.Began().Compare(other.ID.Began()), cmp.Compare(s.ID, other.ID))
}

// LastEnd returns when the last of the sessions ends.
func LastEnd(sessions []IndexedSession) time.Time {
	var end time.Time
	for _, s := range sessions {
		end = session.Later(end, s.End)
	}
	return end
}

const replaced = "replaced:"

// Replaced returns the value of a replaced session's key, which is kept until the session
// would have ended: a refresh must learn of the replacement even after the revocation is
// forgotten.
func Replaced(end time.Time) string { return replaced + MillisUp(end) }

// ParseReplaced is the inverse of Replaced; ok is false for the record of a session.
func ParseReplaced(value string) (end time.Time, ok bool) {
	millis, ok := strings.CutPrefix(value, replaced)
	return ParseMillis(millis), ok
}
