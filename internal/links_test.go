package internal_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	inlineLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	setAnchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	atxHeading = regexp.MustCompile(`^#{1,6} +(.*?)(?: +#+)? *$`)
	// pageInSource is how Go texts name a page. An anchor that ends with a hyphen is
	// the beginning of one for each error code.
	pageInSource = regexp.MustCompile(`\b(README\.md|SECURITY\.md|docs/[\w/-]+\.md)(?:#([\w-]+))?`)
)

// anchors are the anchors that GitHub gives a page: of headings and of <a id>.
func anchors(markdown string) map[string]bool {
	found := map[string]bool{}
	for line := range strings.SplitSeq(withoutFences(markdown), "\n") {
		for _, m := range setAnchor.FindAllStringSubmatch(line, -1) {
			found[m[1]] = true
		}
		m := atxHeading.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		slug := headingAnchor(m[1])
		for n := 0; ; n++ { // the second of two equal headings gets -1
			next := slug
			if n > 0 {
				next += "-" + strconv.Itoa(n)
			}
			if !found[next] {
				found[next] = true
				break
			}
		}
	}
	return found
}

var linkedText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// headingAnchor follows GitHub: lower case, spaces become hyphens, and of the other
// characters only letters, digits, hyphens and underscores stay.
func headingAnchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
			return unicode.ToLower(r)
		}
		return -1
	}, linkedText.ReplaceAllString(heading, "$1"))
}

// brokenLinks checks the links of a page that stay in the repository. read returns
// the text of a file, named from the module's root.
func brokenLinks(p page, read func(name string) (string, error)) []string {
	var broken []string
	for _, m := range inlineLink.FindAllStringSubmatch(prose(p.text), -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, ":") { // https:, mailto:
			continue
		}
		text := p.text
		if target != "" {
			var err error
			if text, err = read(path.Join(path.Dir(p.name), target)); err != nil {
				broken = append(broken, m[1]+": no such file")
				continue
			}
		}
		if anchor != "" && !anchors(text)[anchor] {
			broken = append(broken, m[1]+": no such heading")
		}
	}
	return broken
}

func readFromRoot(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(name)))
	return string(text), err
}

// TestLinks follows every link of the pages, and every page that a comment or a
// string of the program names, with its anchor.
func TestLinks(t *testing.T) {
	n := 0
	for _, p := range pages(t) {
		n += len(inlineLink.FindAllString(p.text, -1))
		for _, broken := range brokenLinks(p, readFromRoot) {
			t.Errorf("%s links to %s", p.name, broken)
		}
	}
	if n == 0 {
		t.Error("the pages have no link")
	}
	sources := sourceFiles(t)
	codes := errorCodes(sources)
	if len(codes) < 20 {
		t.Errorf("found %d error codes: where is their table?", len(codes))
	}
	n = 0
	for _, s := range sources {
		if s.test {
			continue
		}
		for _, text := range texts(s) {
			for _, m := range pageInSource.FindAllStringSubmatch(text.value, -1) {
				n++
				for _, broken := range brokenReference(m[1], m[2], codes) {
					t.Errorf("%s names %s", s.at(text.node), broken)
				}
			}
		}
	}
	if n == 0 {
		t.Error("the sources name no page")
	}
}

func brokenReference(name, anchor string, codes []string) []string {
	text, err := readFromRoot(name)
	if err != nil {
		return []string{name + ": no such file"}
	}
	wanted := []string{anchor}
	if strings.HasSuffix(anchor, "-") {
		wanted = nil
		for _, code := range codes {
			wanted = append(wanted, anchor+code)
		}
	}
	var broken []string
	there := anchors(text)
	for _, anchor := range wanted {
		if anchor != "" && !there[anchor] {
			broken = append(broken, name+"#"+anchor+": no such heading")
		}
	}
	return broken
}

// errorCodes are the codes of the table of problems: rows such as
// {auth.ErrCodeUsed, http.StatusUnauthorized, "code_used", ...}.
func errorCodes(sources []source) []string {
	var codes []string
	for _, s := range sources {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			row, ok := n.(*ast.CompositeLit)
			if !ok || len(row.Elts) < 3 {
				return true
			}
			class, ok := row.Elts[0].(*ast.SelectorExpr)
			code, isLit := row.Elts[2].(*ast.BasicLit)
			if ok && isLit && code.Kind == token.STRING && strings.HasPrefix(class.Sel.Name, "Err") {
				if value, err := strconv.Unquote(code.Value); err == nil {
					codes = append(codes, value)
				}
			}
			return true
		})
	}
	return codes
}

// TestBrokenLinks finds what is broken in a made-up page and leaves the rest.
func TestBrokenLinks(t *testing.T) {
	files := map[string]string{"docs/b.md": "# Title\n## A `code` head, and 中文!\n## Twice\n## Twice\n```\n# no heading\n```\n| <a id=\"code-x\"></a>`x` |\n"}
	read := func(name string) (string, error) {
		if text, ok := files[name]; ok {
			return text, nil
		}
		return "", os.ErrNotExist
	}
	p := page{"docs/a.md", "# Here\n[1](b.md) [2](b.md#title) [3](#here) [4](b.md#a-code-head-and-中文) [5](b.md#twice-1) [6](b.md#code-x) [7](https://example.com/x.md#y)\n" +
		"[bad](c.md) [bad](b.md#no-heading) [bad](#there) [bad](b.md#twice-2) [bad](../b.md)\n`[code](d.md)`\n"}
	got := strings.Join(brokenLinks(p, read), "; ")
	const want = "c.md: no such file; b.md#no-heading: no such heading; #there: no such heading; b.md#twice-2: no such heading; ../b.md: no such file"
	if got != want {
		t.Errorf("broken links:\n%s, want\n%s", got, want)
	}
}

// TestPagesAreListed: assistants find a page of docs through llms.txt only.
func TestPagesAreListed(t *testing.T) {
	list, err := readFromRoot("docs/llms.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		folder, file := path.Split(p.name)
		if folder == "docs/" && path.Ext(file) == ".md" && !strings.Contains(list, "]("+file+")") {
			t.Errorf("docs/llms.txt does not list %s", p.name)
		}
	}
}
