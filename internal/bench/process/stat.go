package process

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/<pid>/stat: USER_HZ is 100 on every architecture
// that Go runs on.
const tick = 10 * time.Millisecond

// errFormat is a file of /proc that is not written as proc(5) describes.
var errFormat = errors.New("unexpected format")

const (
	// fieldsBeforeUser is how many fields /proc/<pid>/stat has between the name of the
	// process and utime: state to cmajflt.
	fieldsBeforeUser = 11
	// kibibyte is the unit of the sizes in /proc/<pid>/status.
	kibibyte = 1 << 10
)

// parseStat returns the CPU time that a process has used in user and in kernel mode, from
// the text of /proc/<pid>/stat.
//
// The second field is the name of the program in parentheses. A program chooses its name,
// which may contain spaces and parentheses, so the fields are counted from the last
// parenthesis.
func parseStat(text []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return 0, fmt.Errorf("reading stat: %w: no name in parentheses", errFormat)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < fieldsBeforeUser+2 {
		return 0, fmt.Errorf("reading stat: %w: %d fields after the name", errFormat, len(fields))
	}
	var used time.Duration
	for _, field := range fields[fieldsBeforeUser : fieldsBeforeUser+2] {
		ticks, err := strconv.ParseUint(string(field), 10, 48)
		if err != nil {
			return 0, fmt.Errorf("reading stat: %w: a time of %q", errFormat, field)
		}
		used += time.Duration(ticks) * tick // 48 bits of ticks fit
	}
	return used, nil
}

// parseStatus returns the resident memory of a process and the part of it that no file
// backs, in bytes, from the text of /proc/<pid>/status.
func parseStatus(text []byte) (resident, anonymous int64, err error) {
	found := 0
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var into *int64
		switch string(name) {
		case "VmRSS":
			into = &resident
		case "RssAnon":
			into = &anonymous
		default:
			continue
		}
		number, ok := bytes.CutSuffix(bytes.TrimSpace(value), []byte(" kB"))
		n, err := strconv.ParseUint(string(number), 10, 48)
		if !ok || err != nil {
			return 0, 0, fmt.Errorf("reading status: %w: %q", errFormat, line)
		}
		*into = int64(n) * kibibyte // 48 bits of kibibytes fit
		found++
	}
	if found != 2 {
		return 0, 0, fmt.Errorf("reading status: %w: VmRSS and RssAnon are expected once each", errFormat)
	}
	return resident, anonymous, nil
}
