package internal_test

import (
	"regexp"
	"strings"
	"testing"
)

const fullWidthMarks = `，。；：！？、（）`

// A typoRule is what Chinese text does not have.
type typoRule struct {
	name  string
	match *regexp.Regexp
}

var typoRules = []typoRule{
	{"half-width punctuation", regexp.MustCompile(`\p{Han}[,;:!?)]|[,;:!?(]\p{Han}`)},
	{"no space between Chinese and other letters, digits or code", regexp.MustCompile("\\p{Han}[A-Za-z0-9`]|[A-Za-z0-9%`]\\p{Han}")},
	{"a space beside full-width punctuation", regexp.MustCompile(`[^\s|*-] +[` + fullWidthMarks + `]|[` + fullWidthMarks + `] +[^\s|]`)},
	{"quotes other than “”", regexp.MustCompile(`["「」『』]`)},
}

var (
	unreadable = regexp.MustCompile(`\]\([^)]*\)|<a [^>]*></a>`) // the target of a link, an anchor
	codeInText = regexp.MustCompile("`[^`]*`")
	ownLine    = regexp.MustCompile(`^\s*(#|[-*+] |\d+\. |\||<|!\[|$)`) // does not continue the line before
)

// typos finds mistakes of typography in a Chinese page, by line.
func typos(markdown string) map[int]string {
	found := map[int]string{}
	before := ""
	for i, line := range strings.Split(withoutFences(markdown), "\n") {
		if strings.HasPrefix(line, "    ") {
			line = "" // code
		}
		prose := codeInText.ReplaceAllString(unreadable.ReplaceAllString(line, "]"), "`x`")
		prose = strings.NewReplacer("![", "", "[", "", "]", "").Replace(prose)
		for _, rule := range typoRules {
			if at := rule.match.FindString(prose); at != "" {
				found[i+1] = rule.name + ": " + at
			}
		}
		if !ownLine.MatchString(line) && strings.TrimSpace(before) != "" && !strings.HasPrefix(before, "#") {
			found[i+1] = "a paragraph of more than one line: GitHub shows the break as a space"
		}
		before = line
	}
	return found
}

// TestChineseTypography: Chinese pages are set as Chinese text is.
func TestChineseTypography(t *testing.T) {
	checked := 0
	for _, p := range pages(t) {
		if _, isChinese := englishName(p.name); !isChinese {
			continue
		}
		checked++
		found := typos(p.text)
		for line := range found {
			t.Errorf("%s:%d: %s", p.name, line, found[line])
		}
	}
	if checked < 20 {
		t.Errorf("only %d Chinese pages were checked", checked)
	}
}

// TestTypos has one mistake of each kind.
func TestTypos(t *testing.T) {
	const good = "# 用 wxgate\n\n见[令牌](a.md#令牌,吗)，`code,` 和“登录”（10 个）。\n- 一\n- 二\n\n| 甲（乙） | 丙。 |\n\n```sh\n登录,a\n```\n"
	if found := typos(good); len(found) != 0 {
		t.Error(found)
	}
	for _, bad := range []string{
		"令牌,登录", "令牌(登录", "用wxgate", "有10个", "用`x`", "见 [a](b.md)吗", "令牌， 登录", "x （乙）", "「登录」", "令牌\n登录",
	} {
		if len(typos(bad)) != 1 {
			t.Errorf("%q: %v", bad, typos(bad))
		}
	}
}
