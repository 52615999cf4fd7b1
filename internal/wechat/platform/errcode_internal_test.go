package platform

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

// clientCodes are the error codes that clients get for each class; caddymodule's tests check
// them.
var clientCodes = map[error]string{
	auth.ErrInvalidRequest: "400 `invalid_request`", auth.ErrInvalidCode: "401 `invalid_code`", auth.ErrInvalidPhoneCode: "400 `invalid_code`",
	auth.ErrCodeUsed: "401 `code_used`", auth.ErrRiskBlocked: "403 `risk_blocked`", auth.ErrRateLimited: "429 `rate_limited`",
	auth.ErrAppMisconfigured: "500 `app_misconfigured`", auth.ErrWeChatBusy: "503 `wechat_busy`", auth.ErrSessionStale: "401 `session_stale`",
}

// dialects are the platforms by their name in the configuration.
var dialects = map[string]*Dialect{
	"wechat": WeChat, "qq": QQ, "douyin": Douyin, "kuaishou": Kuaishou, "xiaohongshu": Xiaohongshu, "wecom": WeCom,
}

// TestDocumentedErrcodes compares the tables with the documentation, which lists the error that
// a client gets for each code: for all calls in the second column, and for calls that differ in
// the third. docs/platforms.md has a section for each platform except WeChat. The section for
// QQ omits the codes that are the same on WeChat.
func TestDocumentedErrcodes(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch name {
			case "wechat":
				checkDocumented(t, documented(t, "../../../docs/wechat.md", "every errcode"), d.meanings, d.callMeanings)
			case "qq":
				own := maps.Clone(d.meanings)
				maps.DeleteFunc(own, func(code int, _ meaning) bool { _, ok := WeChat.meanings[code]; return ok })
				checkDocumented(t, documented(t, "../../../docs/platforms.md", "`platform "+name+"`"), own, nil)
			default:
				checkDocumented(t, documented(t, "../../../docs/platforms.md", "`platform "+name+"`"), d.meanings, d.callMeanings)
			}
		})
	}
}

// documented returns the rows of a page's tables that begin with codes, by code. It reads the
// section whose heading has the given suffix.
func documented(t *testing.T, page, heading string) map[int]string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(raw), heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %s", page, heading)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	rows := map[int]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (-?\d+(?:, -?\d+)*) (\| .*)$`).FindAllStringSubmatch(text, -1) {
		for number := range strings.SplitSeq(row[1], ", ") {
			code, err := strconv.Atoi(number)
			if err != nil || rows[code] != "" {
				t.Errorf("errcode %s is a duplicate or not a number", number)
			}
			rows[code] = row[2]
		}
	}
	return rows
}

func checkDocumented(t *testing.T, rows map[int]string, general map[int]meaning, calls map[CallName]map[int]meaning) {
	t.Helper()
	known := map[int]bool{}
	for code, m := range general {
		known[code] = true
		if !strings.HasPrefix(rows[code], "| "+clientCodes[m.class]+" |") {
			t.Errorf("errcode %d: want %s, documented is %q", code, clientCodes[m.class], rows[code])
		}
	}
	for call, codes := range calls {
		for code, m := range codes {
			known[code] = true
			if !strings.Contains(rows[code], clientCodes[m.class]) {
				t.Errorf("errcode %d at %s: want %s, documented is %q", code, call, clientCodes[m.class], rows[code])
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(rows)) {
		if !known[code] {
			t.Errorf("errcode %d is documented but not in the tables", code)
		}
	}
}
