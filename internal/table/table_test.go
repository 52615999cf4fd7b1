package table

import (
	"strings"
	"testing"
)

var (
	header = []string{"ID", "STATE"}
	rows   = [][]string{{"k1", "signing"}, {"k-two", "next"}}
)

// TestTable prints one table in a pipe, on a terminal, and on a terminal that is too narrow.
func TestTable(t *testing.T) {
	for _, test := range []struct {
		name  string
		width int
		want  string
	}{
		{"pipe", 0, "ID     STATE\nk1     signing\nk-two  next\n"},
		{"terminal", 80, " ID     STATE   \n────────────────\n k1     signing \n k-two  next    \n"},
		{"narrow terminal", 10, "ID     k1\nSTATE  signing\n\nID     k-two\nSTATE  next\n"},
	} {
		var out strings.Builder
		if err := write(&out, test.width, header, rows); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, out.String(), test.want)
		}
	}
}

// TestTableWriter: a writer that is not a terminal gets plain text.
func TestTableWriter(t *testing.T) {
	var out strings.Builder
	if err := Write(&out, header, rows); err != nil || !strings.HasPrefix(out.String(), "ID     STATE\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 sessions", 1: "1 session", 2: "2 sessions"} {
		if got := Count(n, "session"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
