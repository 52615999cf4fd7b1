package process

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// afterName are the fields of /proc/<pid>/stat from the state on, with 12 ticks in user
// mode and 34 in kernel mode.
const afterName = " S 1 2 3 0 -1 4194560 5 6 7 8 12 34 90 91 20 0 9 0 4146254 3133440 411 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0\n"

func TestParseStat(t *testing.T) {
	for name, text := range map[string]string{
		"plain":           "4242 (wxgate)" + afterName,
		"spaces":          "4242 (tmux: server 1 2)" + afterName,
		"parentheses":     "4242 (a) S 1 2 3 (b)" + afterName,
		"only its name":   "4242 ())" + afterName,
		"newline in name": "4242 (a\nb)" + afterName,
	} {
		if used, err := parseStat([]byte(text)); err != nil || used != 460*time.Millisecond {
			t.Errorf("%s: %v, %v; want 460ms", name, used, err)
		}
	}
	for name, text := range map[string]string{
		"empty":         "",
		"no name":       "4242 wxgate S 1 2 3",
		"too short":     "4242 (wxgate) S 1 2 3 0 -1 4194560 5 6 7 8 12",
		"not a number":  "4242 (wxgate)" + strings.Replace(afterName, " 34 ", " x ", 1),
		"negative":      "4242 (wxgate)" + strings.Replace(afterName, " 34 ", " -34 ", 1),
		"far too large": "4242 (wxgate)" + strings.Replace(afterName, " 34 ", " 18446744073709551615 ", 1),
	} {
		if used, err := parseStat([]byte(text)); !errors.Is(err, errFormat) {
			t.Errorf("%s: %v, %v; want %v", name, used, err, errFormat)
		}
	}
}

// FuzzParseStat: the times do not depend on the name of the program.
func FuzzParseStat(f *testing.F) {
	f.Add("wxgate", uint32(12), uint32(34))
	f.Add("a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 (b", uint32(0), uint32(1))
	f.Add("\n\x00\xff ) ", uint32(1<<31), uint32(1<<31))
	f.Fuzz(func(t *testing.T, name string, user, system uint32) {
		fields := strings.Replace(afterName, " 12 34 ", fmt.Sprintf(" %d %d ", user, system), 1)
		used, err := parseStat([]byte("4242 (" + name + ")" + fields))
		if want := (time.Duration(user) + time.Duration(system)) * tick; err != nil || used != want {
			t.Errorf("%v, %v; want %v", used, err, want)
		}
		if used, err := parseStat([]byte(name)); err == nil && used < 0 {
			t.Errorf("%q: %v", name, used)
		}
	})
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\twxgate\nVmHWM:\t   81000 kB\nVmRSS:\t   80000 kB\nRssAnon:\t   30000 kB\nRssFile:\t   50000 kB\n"
	resident, anonymous, err := parseStatus([]byte(text))
	if err != nil || resident != 80000<<10 || anonymous != 30000<<10 {
		t.Errorf("%d, %d, %v", resident, anonymous, err)
	}
	for name, text := range map[string]string{
		"empty":          "",
		"a zombie":       "Name:\twxgate\nState:\tZ (zombie)\n",
		"another unit":   strings.Replace(text, "80000 kB", "80000 MB", 1),
		"not a number":   strings.Replace(text, "30000", "many", 1),
		"duplicate line": text + "VmRSS:\t1 kB\n",
	} {
		if _, _, err := parseStatus([]byte(text)); !errors.Is(err, errFormat) {
			t.Errorf("%s: %v, want %v", name, err, errFormat)
		}
	}
}

func TestParseListeners(t *testing.T) {
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 536 1 000000005fe04c78 100 0 0 10 0
   1: 0100007F:1F90 0100007F:7A73 01 00000000:00000000 03:00000E3C 00000000  1000        0 537 3 00000000ab7bd1db
   2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 538 1 0000000000000000 100 0 0 10 0
   3: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 539 1 0000000000000000 100 0 0 10 0
   4: cut
`
	if got := strings.Join(parseListeners([]byte(text), 8080), " "); got != "536 539" {
		t.Errorf("port 8080: inodes %q, want 536 and 539", got)
	}
	if got := parseListeners([]byte(text), 80); got != nil {
		t.Errorf("port 80: %v", got)
	}
}
