package wechat

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// words are what clients see of each class; caddymodule's tests hold them to that.
var words = map[error]string{
	auth.ErrInvalidRequest: "400 `invalid_request`", auth.ErrInvalidCode: "401 `invalid_code`", auth.ErrInvalidPhoneCode: "400 `invalid_code`",
	auth.ErrCodeUsed: "401 `code_used`", auth.ErrRiskBlocked: "403 `risk_blocked`", auth.ErrRateLimited: "429 `rate_limited`",
	auth.ErrAppMisconfigured: "500 `app_misconfigured`", auth.ErrWeChatBusy: "503 `wechat_busy`", auth.ErrSessionStale: "401 `session_stale`",
}

// TestDocumentedErrcodes has docs/wechat.md say of every errcode, and of no other,
// what a client sees: in general in the second column, of a call that differs in
// the third.
func TestDocumentedErrcodes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/wechat.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (-?\d+(?:, \d+)*) (\| .*)$`).FindAllStringSubmatch(string(text), -1) {
		for number := range strings.SplitSeq(row[1], ", ") {
			code, err := strconv.Atoi(number)
			if err != nil || rows[code] != "" {
				t.Errorf("errcode %s stands twice, or is none", number)
			}
			rows[code] = row[2]
		}
	}
	known := map[int]bool{}
	for code, m := range meanings {
		known[code] = true
		if !strings.HasPrefix(rows[code], "| "+words[m.class]+" |") {
			t.Errorf("errcode %d: want %s, documented is %q", code, words[m.class], rows[code])
		}
	}
	for call, codes := range callMeanings {
		for code, m := range codes {
			known[code] = true
			if !strings.Contains(rows[code], words[m.class]) {
				t.Errorf("errcode %d at %s: want %s, documented is %q", code, call, words[m.class], rows[code])
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(rows)) {
		if !known[code] {
			t.Errorf("errcode %d is documented and not known", code)
		}
	}
}
