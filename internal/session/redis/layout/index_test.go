package layout_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestIndexLines: the line of a session with tokens has the format of an older wxgate. Lines
// without a class of devices come from an even older one.
func TestIndexLines(t *testing.T) {
	t.Parallel()
	s := sessiontest.NewSession(sessiontest.Alice, sessiontest.NewClock())
	s.Device = auth.DeviceMac
	times := strconv.FormatInt(s.End().UnixMilli(), 10) + ":" + strconv.FormatInt(s.AccessEnd.UnixMilli(), 10)
	for door, suffix := range map[auth.Door]string{auth.DoorMiniProgram: ":5", auth.DoorMinted: ":5", auth.DoorOfficial: ":5:b", auth.DoorScan: ":5:b"} {
		s.Door = door
		line := layout.IndexLine(s)
		if line != times+suffix {
			t.Errorf("%s: line %q, want %q", door, line, times+suffix)
		}
		got := layout.ParseIndexLine(string(s.ID), line)
		if got.ID != s.ID || !got.End.Equal(s.End()) || !got.AccessEnd.Equal(s.AccessEnd) || got.Class != session.ClassOf(s) {
			t.Errorf("%s: read as %+v", door, got)
		}
	}
	for _, line := range []string{times, times + ":", times + ":1000", times + ":5:x"} {
		if got := layout.ParseIndexLine(string(s.ID), line); got.Class != (session.Class{}) || !got.AccessEnd.Equal(s.AccessEnd) {
			t.Errorf("%s: read as %+v", strings.TrimPrefix(line, times), got)
		}
	}
}
