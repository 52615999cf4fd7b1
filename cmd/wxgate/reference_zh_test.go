package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestReferenceInChinese compares docs/zh/reference.md with docs/reference.md, translated with
// testdata/reference.zh.txt. After a change of docs/reference.md, add the translations that the
// test asks for and write the page again:
//
//	go test ./cmd/wxgate -run TestReferenceInChinese -update-reference
func TestReferenceInChinese(t *testing.T) {
	table := readTranslations(t)
	want := translatePage(t, referencePage(t), table)
	for english, translation := range table {
		if !translation.used {
			t.Errorf("testdata/reference.zh.txt translates a text that docs/reference.md does not have; delete it:\n%s", english)
		}
	}
	wantReference(t, "docs/zh/reference.md", want)
}

// translation is the Chinese of a paragraph, a heading or a cell of a table.
type translation struct {
	chinese string
	used    bool
}

// readTranslations reads pairs of lines, English before Chinese, with an empty line after each
// pair. Both lines must have the same code spans, so that no name is wrong in one language.
func readTranslations(t *testing.T) map[string]*translation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference.zh.txt"))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]*translation{}
	for pair := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		english, chinese, ok := strings.Cut(pair, "\n")
		if !ok || strings.Contains(chinese, "\n") {
			t.Fatalf("testdata/reference.zh.txt: expected two lines:\n%s", pair)
		}
		if table[english] != nil {
			t.Errorf("testdata/reference.zh.txt: duplicate text:\n%s", english)
		}
		if !sameSpans(english, chinese) {
			t.Errorf("testdata/reference.zh.txt: the languages differ in a code span:\n%s", pair)
		}
		table[english] = &translation{chinese: chinese}
	}
	return table
}

var codeSpan = regexp.MustCompile("`[^`]+`")

// sameSpans reports whether both texts have the same code spans, in any order and number.
func sameSpans(english, chinese string) bool {
	const inEnglish, inChinese = 1, 2
	languages := map[string]int{} // by span
	for _, span := range codeSpan.FindAllString(english, -1) {
		languages[span] |= inEnglish
	}
	for _, span := range codeSpan.FindAllString(chinese, -1) {
		languages[span] |= inChinese
	}
	for _, l := range languages {
		if l != inEnglish|inChinese {
			return false
		}
	}
	return true
}

// translatePage translates the page paragraph by paragraph, and tables cell by cell.
func translatePage(t *testing.T, page string, table map[string]*translation) string {
	t.Helper()
	blocks := strings.Split(strings.TrimSpace(page), "\n\n")
	for i, block := range blocks {
		if !strings.HasPrefix(block, "|") {
			level := block[:len(block)-len(strings.TrimLeft(block, "#"))]
			text := strings.Join(strings.Fields(strings.TrimPrefix(block, level)), " ")
			blocks[i] = strings.TrimSpace(level + " " + translate(t, text, table))
			continue
		}
		rows := strings.Split(block, "\n")
		for j, row := range rows {
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(row, "| "), " |"), " | ")
			for k, cell := range cells {
				cells[k] = translate(t, cell, table)
			}
			rows[j] = "| " + strings.Join(cells, " | ") + " |"
		}
		blocks[i] = strings.Join(rows, "\n")
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// translate returns the translation of a text. A text without letters outside its code spans is
// not translated.
func translate(t *testing.T, text string, table map[string]*translation) string {
	t.Helper()
	if !strings.ContainsFunc(codeSpan.ReplaceAllString(text, ""), unicode.IsLetter) {
		return text
	}
	found := table[text]
	if found == nil {
		t.Errorf("add a translation to testdata/reference.zh.txt, in the line below:\n%s", text)
		return text
	}
	found.used = true
	return found.chinese
}
