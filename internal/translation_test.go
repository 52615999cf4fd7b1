package internal_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// chineseName is the name of the Chinese page of an English one.
func chineseName(english string) string {
	if name, ok := strings.CutPrefix(english, "docs/"); ok {
		return "docs/zh/" + name
	}
	return strings.TrimSuffix(english, ".md") + ".zh-CN.md"
}

// englishName is the English page of a page, and whether the page is a Chinese one.
func englishName(name string) (english string, isChinese bool) {
	if rest, ok := strings.CutPrefix(name, "docs/zh/"); ok {
		return "docs/" + rest, true
	}
	if rest, ok := strings.CutSuffix(name, ".zh-CN.md"); ok {
		return rest + ".md", true
	}
	return name, false
}

// TestChinesePages compares README.md, SECURITY.md, the pages of the client and of deploy, and each
// page in docs with its Chinese page: headings, code, tables, code in the text and links are the
// same, only the words differ. docs has no other Chinese page.
func TestChinesePages(t *testing.T) {
	wanted := map[string]string{} // the English page, by Chinese page
	for _, pattern := range []string{"docs/*.md", "README.md", "SECURITY.md", "client/README.md", "deploy/*/README.md"} {
		english, err := fs.Glob(os.DirFS(moduleRoot), pattern)
		if err != nil || len(english) == 0 {
			t.Fatalf("no page %s (%v)", pattern, err)
		}
		for _, name := range english {
			wanted[chineseName(name)] = name
		}
	}
	for _, p := range pages(t) {
		if _, isChinese := englishName(p.name); isChinese && strings.HasPrefix(p.name, "docs/") && wanted[p.name] == "" {
			t.Errorf("%s: there is no English page", p.name)
		}
	}
	for _, chinese := range slices.Sorted(maps.Keys(wanted)) {
		en, err := readFromRoot(wanted[chinese])
		if err != nil {
			t.Fatal(err)
		}
		zh, err := readFromRoot(chinese)
		if err != nil {
			t.Errorf("%s: there is no Chinese page %s", wanted[chinese], chinese)
			continue
		}
		if difference := compareTranslation(page{wanted[chinese], en}, page{chinese, zh}, readFromRoot); difference != "" {
			t.Error(difference)
		}
	}
}

// compareTranslation describes the first difference, with file and line; it is empty if there is
// none. read returns the text of a file, named from the module's root.
func compareTranslation(en, zh page, read func(string) (string, error)) string {
	a, b := featuresOf(en, read), featuresOf(zh, read)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b):
			return fmt.Sprintf("%s:%d: %s is missing in %s", en.name, a[i].line, a[i], zh.name)
		case i >= len(a):
			return fmt.Sprintf("%s:%d: %s is not in %s", zh.name, b[i].line, b[i], en.name)
		case a[i].kind != b[i].kind:
			return fmt.Sprintf("%s:%d: %s, but %s at %s:%d", zh.name, b[i].line, b[i], a[i], en.name, a[i].line)
		}
		compare := compareInOrder
		if a[i].isSet {
			compare = compareAnyOrder
		}
		if difference := compare(en.name, zh.name, a[i], b[i]); difference != "" {
			return difference
		}
	}
	return ""
}

// compareInOrder compares two features of the same kind, value by value.
func compareInOrder(en, zh string, a, b feature) string {
	for i := range max(len(a.values), len(b.values)) {
		switch {
		case i >= len(b.values):
			return fmt.Sprintf("%s:%d: %s: %q of %s:%d is missing", zh, b.line, a.kind, a.values[i].text, en, a.values[i].line)
		case i >= len(a.values):
			return fmt.Sprintf("%s:%d: %s: %q is not at %s:%d", zh, b.values[i].line, a.kind, b.values[i].text, en, a.line)
		case a.values[i].text != b.values[i].text:
			return fmt.Sprintf("%s:%d: %s: %q, but %q at %s:%d", zh, b.values[i].line, a.kind, b.values[i].text, a.values[i].text, en, a.values[i].line)
		}
	}
	return ""
}

// compareAnyOrder compares two features of the same kind whose order may differ.
func compareAnyOrder(en, zh string, a, b feature) string {
	texts := func(f feature) map[string]bool {
		found := map[string]bool{}
		for _, v := range f.values {
			found[v.text] = true
		}
		return found
	}
	inA, inB := texts(a), texts(b)
	for _, v := range b.values {
		if !inA[v.text] {
			return fmt.Sprintf("%s:%d: %s: %q is not in the section at %s:%d", zh, v.line, b.kind, v.text, en, a.line)
		}
	}
	for _, v := range a.values {
		if !inB[v.text] {
			return fmt.Sprintf("%s:%d: %s: %q of %s:%d is missing in the section", zh, b.line, a.kind, v.text, en, v.line)
		}
	}
	return ""
}

// englishTarget turns the target of a link in a page into the English page and the number of the
// heading in it, which are the same in both languages. It returns "" for the same page in the
// other language.
func englishTarget(from, target string, read func(string) (string, error)) string {
	if strings.Contains(target, ":") {
		return target
	}
	file, anchor, _ := strings.Cut(target, "#")
	name := from
	if file != "" {
		name = path.Join(path.Dir(from), file)
	}
	english, isChinese := englishName(name)
	own, fromChinese := englishName(from)
	if name != from && english == own {
		return ""
	}
	if fromChinese && !isChinese && path.Ext(name) == ".md" {
		if _, err := read(chineseName(name)); err == nil {
			english += " in English, which is in Chinese too"
		}
	}
	if anchor == "" {
		return english
	}
	markdown, err := read(name)
	if err != nil {
		return english + "#" + anchor
	}
	return english + "#" + headingNumber(markdown, anchor)
}

// headingNumber says which heading of a page has an anchor; an anchor that is not a heading's is
// itself.
func headingNumber(markdown, anchor string) string {
	n := 0
	for line := range strings.SplitSeq(withoutFences(markdown), "\n") {
		if m := atxHeading.FindStringSubmatch(line); m != nil {
			n++
			if headingAnchor(m[1]) == anchor {
				return fmt.Sprint("heading ", n)
			}
		}
	}
	return anchor
}

// TestCompareTranslation changes a made-up translation in one place at a time.
func TestCompareTranslation(t *testing.T) {
	const english = "# Title\n\nSee `x`, [b](b.md#more) and [zh](zh/a.md).\n\n" +
		"```sh\nrun a # why\n# comment\n```\n\n```http\nPOST <a code>\n```\n\n" +
		"| head | default |\n|---|---|\n| `o`, `p` | None |\n| `q\\|r` |  |\n\n1. Step\n\n   ```text\n   out\n   ```\n\n## Last\n"
	const chinese = "# 标题\n\n见[乙](b.md#更多)、`x`、[en](../a.md)。\n\n" +
		"```sh\nrun a # 原因\n```\n\n```http\nPOST <某个 code>\n```\n\n" +
		"| 表头 | 默认值 |\n|---|---|\n| `o`、`p` | 无 |\n| `q\\|r` |  |\n\n1. 步骤\n\n   ```text\n   out\n   ```\n\n## 最后\n"
	files := map[string]string{"docs/b.md": "# B\n## More\n## Less\n", "docs/zh/b.md": "# 乙\n## 更多\n## 更少\n"}
	read := func(name string) (string, error) {
		if text, ok := files[name]; ok {
			return text, nil
		}
		return "", os.ErrNotExist
	}
	for _, test := range []struct{ old, new, want string }{
		{"", "", ""},
		{"# 标题", "## 标题", `docs/zh/a.md:1: heading: "##", but "#" at docs/a.md:1`},
		{"`x`", "`y`", `docs/zh/a.md:3: code in the text: "y" is not in the section at docs/a.md:1`},
		{"`x`", "x", `docs/zh/a.md:1: code in the text: "x" of docs/a.md:3 is missing in the section`},
		{"b.md#更多", "b.md#更少", `docs/zh/a.md:3: links: "docs/b.md#heading 3" is not in the section at docs/a.md:1`},
		{"b.md#更多", "../b.md#more", `docs/zh/a.md:3: links: "docs/b.md in English, which is in Chinese too#heading 2" is not in the section at docs/a.md:1`},
		{"见[乙]", "**见。**[乙]", ""},
		{"见[乙]", "**见。**看[乙]", `docs/zh/a.md:3: markup shown as text "**", but block "sh" at docs/a.md:6`},
		{"run a", "run b", `docs/zh/a.md:6: line of code: "run b", but "run a" at docs/a.md:6`},
		{"```sh", "```js", `docs/zh/a.md:6: block: "js", but "sh" at docs/a.md:6`},
		{"POST", "GET", `docs/zh/a.md:10: line of code: "GET <>", but "POST <>" at docs/a.md:11`},
		{"`o`、`p`", "`p`、`o`", `docs/zh/a.md:15: table row: "p, o", but "o, p" at docs/a.md:16`},
		{"| 无 |", "| `无` |", `docs/zh/a.md:15: table row: "无", but "…" at docs/a.md:16`},
		{"| `q\\|r` |  |\n", "", `docs/zh/a.md:20: block "text", but table row "q|r | " at docs/a.md:17`},
		{"   out", "   输出", `docs/zh/a.md:21: line of code: "输出", but "out" at docs/a.md:22`},
		{"\n## 最后\n", "", `docs/a.md:25: heading "##" is missing in docs/zh/a.md`},
		{"## 最后\n", "## 最后\n\n## 多余\n", `docs/zh/a.md:26: heading "##" is not in docs/a.md`},
	} {
		changed := strings.Replace(chinese, test.old, test.new, 1)
		if changed == chinese && test.old != "" {
			t.Errorf("%q is not in the page", test.old)
		}
		if got := compareTranslation(page{"docs/a.md", english}, page{"docs/zh/a.md", changed}, read); got != test.want {
			t.Errorf("%q instead of %q:\n%s, want\n%s", test.new, test.old, got, test.want)
		}
	}
}
