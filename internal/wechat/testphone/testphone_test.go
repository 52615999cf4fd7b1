package testphone

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestSet(t *testing.T) {
	t.Parallel()
	var n Numbers
	if err := n.Set("12066600001", "10000000001"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ number, replacement, want string }{
		{"12066600000", "10000000001", "one of WeChat's virtual numbers"},
		{"12066600005", "10000000001", "one of WeChat's virtual numbers"},
		{"10000000001", "10000000002", "one of WeChat's virtual numbers"},
		{"+8612066600001", "10000000001", "one of WeChat's virtual numbers"},
		{"", "10000000001", "one of WeChat's virtual numbers"},
		{"12066600002", "", "a mobile number of mainland China"},
		{"12066600002", "02000000001", "a mobile number of mainland China"},
		{"12066600002", "1000000000", "a mobile number of mainland China"},
		{"12066600002", "10000000001\n", "a mobile number of mainland China"},
		{"12066600002", "8610000000001", "a mobile number of mainland China"},
	} {
		if err := n.Set(row.number, row.replacement); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "000000000") {
			t.Errorf("%s %s: %v, want %s", row.number, row.replacement, err, row.want)
		}
	}
	if n != (Numbers{"10000000001"}) {
		t.Errorf("got %v", n)
	}
}

// TestReplace: only a virtual number of China with a configured replacement is replaced, and
// the other fields don't change.
func TestReplace(t *testing.T) {
	t.Parallel()
	n := Numbers{0: "10000000001", 3: "10000000004"}
	mark := auth.Watermark{AppID: "wx0000000000000001", Timestamp: 7}
	for _, row := range []struct{ country, number, want string }{
		{"86", "12066600001", "10000000001"},
		{"86", "12066600004", "10000000004"},
		{"86", "12066600002", ""},
		{"86", "12066600005", ""},
		{"86", "10000000001", ""},
		{"1", "12066600001", ""},
		{"852", "12066600001", ""},
	} {
		was := auth.Phone{PhoneNumber: row.number, PurePhoneNumber: row.number, CountryCode: row.country, Watermark: mark}
		want := was
		if row.want != "" {
			want.PhoneNumber, want.PurePhoneNumber, want.Test = row.want, row.want, true
		}
		if got := n.Replace(was); got != want {
			t.Errorf("+%s %s: %+v, want %+v", row.country, row.number, got, want)
		}
	}
}
