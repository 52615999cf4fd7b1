package wechat_test

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechat"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct{ plain, query bool }{
		"https://api.weixin.qq.com":             {true, true},
		"http://127.0.0.1:9901/base":            {true, true},
		"https://tokens.internal/token?key=1":   {false, true},
		"https://user:secret@api.weixin.qq.com": {},
		"https://api.weixin.qq.com#secret":      {},
		"ftp://api.weixin.qq.com":               {},
		"api.weixin.qq.com":                     {},
		"https://":                              {},
		"https://secret\x7f":                    {},
	} {
		for mayHaveQuery, ok := range map[bool]bool{false: want.plain, true: want.query} {
			u, err := wechat.ParseURL(raw, mayHaveQuery)
			if (err == nil) != ok || ok && u.String() != raw {
				t.Errorf("%s, %t: %v, %v", raw, mayHaveQuery, u, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the URL: %v", err)
			}
		}
	}
}
