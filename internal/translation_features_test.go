package internal_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// A feature is something that a page and its translation have in common.
type feature struct {
	kind   string
	line   int
	values []located
	isSet  bool // the order of the values may differ
}

// located is a text and the line that has it.
type located struct {
	text string
	line int
}

func (f feature) String() string {
	var texts []string
	for _, v := range f.values {
		texts = append(texts, v.text)
	}
	return fmt.Sprintf("%s %q", f.kind, strings.Join(texts, " | "))
}

// featuresOf reads a page. read returns the text of a file that a link names.
func featuresOf(p page, read func(string) (string, error)) []feature {
	r := &featureReader{page: p, source: []byte(p.text), read: read}
	document := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(r.source))
	_ = ast.Walk(document, r.visit) // visit returns no error
	r.endSection()
	return r.features
}

type featureReader struct {
	page     page
	source   []byte
	read     func(string) (string, error)
	line     int // of the last node that has one
	section  int // line of its heading
	features []feature
	code     []located // in the text of the section
	links    []located
}

func (r *featureReader) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	r.locate(n)
	switch n := n.(type) {
	case *ast.Heading:
		r.endSection()
		r.section = r.line
		r.add("heading", strings.Repeat("#", n.Level))
	case *ast.FencedCodeBlock:
		language := string(n.Language(r.source))
		r.add("block", language)
		lines := codeLines(language, string(n.Lines().Value(r.source)), r.line)
		r.features = append(r.features, feature{kind: "line of code", line: r.line, values: lines})
	case *ast.CodeBlock:
		r.add("indented block", fmt.Sprint(n.Lines().Len(), " lines"))
	case *east.TableHeader, *east.TableRow:
		r.addRow(n)
	case *ast.Text:
		// Next to Chinese letters, "**" after a full stop is not the end of bold text.
		if value := n.Value(r.source); bytes.Contains(value, []byte("**")) {
			r.add("markup shown as text", string(value))
		}
	case *ast.CodeSpan:
		r.code = append(r.code, located{r.span(n), r.line})
	case *ast.Link:
		r.addLink(n.Destination)
	case *ast.Image:
		r.addLink(n.Destination)
	}
	return ast.WalkContinue, nil
}

// locate sets the line, if the node or its first text has one.
func (r *featureReader) locate(n ast.Node) {
	for ; n != nil; n = n.FirstChild() {
		if leaf, ok := n.(*ast.Text); ok {
			r.line = r.lineAt(leaf.Segment.Start)
			return
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			r.line = r.lineAt(n.Lines().At(0).Start)
			return
		}
	}
}

func (r *featureReader) lineAt(offset int) int {
	return 1 + bytes.Count(r.source[:offset], []byte("\n"))
}

func (r *featureReader) add(kind string, values ...string) {
	f := feature{kind: kind, line: r.line}
	for _, v := range values {
		f.values = append(f.values, located{v, r.line})
	}
	r.features = append(r.features, f)
}

// addRow adds the cells of a row: those with words as "…", the others with their code.
func (r *featureReader) addRow(row ast.Node) {
	var cells []string
	for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
		var code []string
		words := false
		_ = ast.Walk(cell, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			switch n := n.(type) {
			case *ast.CodeSpan:
				if entering {
					code = append(code, r.span(n))
				}
				return ast.WalkSkipChildren, nil
			case *ast.Text:
				words = words || entering && strings.Trim(string(n.Value(r.source)), " ,、，;；") != ""
			}
			return ast.WalkContinue, nil
		})
		content := strings.Join(code, ", ")
		if words {
			content = "…"
		}
		cells = append(cells, content)
	}
	r.add("table row", cells...)
}

func (r *featureReader) addLink(target []byte) {
	if english := englishTarget(r.page.name, string(target), r.read); english != "" {
		r.links = append(r.links, located{english, r.line})
	}
}

func (r *featureReader) span(n *ast.CodeSpan) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if leaf, ok := c.(*ast.Text); ok {
			b.Write(leaf.Value(r.source))
		}
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(b.String(), `\|`, "|")), " ")
}

// endSection adds the code and the links in the section's text.
func (r *featureReader) endSection() {
	r.features = append(r.features,
		feature{kind: "code in the text", line: r.section, values: r.code, isSet: true},
		feature{kind: "links", line: r.section, values: r.links, isSet: true})
	r.code, r.links = nil, nil
}

var (
	hashLanguages  = []string{"sh", "caddyfile", "yaml", "toml", "nginx", "promql"}
	slashLanguages = []string{"go", "js", "json"}

	hashComment  = regexp.MustCompile(`(^|\s+)#(\s.*)?$`)
	slashComment = regexp.MustCompile(`(^|\s+)//(\s.*)?$`)
	placeholder  = regexp.MustCompile(`<[^<>]*>`)
	shownText    = regexp.MustCompile(`'[^'/]*[ \p{Han}][^'/]*'`)
	treeLabel    = regexp.MustCompile(`\s{2,}[\p{L}(（\x60].*$`)
	diagramLabel = regexp.MustCompile(`"[^"]*"|\|[^|]*\||: .*$| as .*$`)
)

// codeLines are the lines of a block without what a translation may change: comments, what
// JavaScript shows to users, the placeholders of http, the labels of mermaid, and what follows the first folder in a line of a
// tree. first is the number of the first line.
func codeLines(language, block string, first int) []located {
	var changeable *regexp.Regexp
	replacement := ""
	switch {
	case slices.Contains(hashLanguages, language):
		changeable = hashComment
	case slices.Contains(slashLanguages, language):
		changeable = slashComment
	case language == "http":
		changeable, replacement = placeholder, "<>"
	case language == "tree":
		changeable = treeLabel
	case language == "mermaid":
		changeable = diagramLabel
	}
	var lines []located
	for i, line := range strings.Split(strings.TrimSuffix(block, "\n"), "\n") {
		code := line
		if changeable != nil {
			code = changeable.ReplaceAllString(line, replacement)
		}
		if language == "js" {
			code = shownText.ReplaceAllString(code, "''")
		}
		if code != "" || line == "" { // not a line with nothing but a comment
			lines = append(lines, located{code, first + i})
		}
	}
	return lines
}

// TestCodeLinesOfTree compares trees of folders: what is said of a folder may differ, the folder
// may not.
func TestCodeLinesOfTree(t *testing.T) {
	const english = "a              the one\n    |\n    +-- b  c   the (other)\n    |          (more)\n"
	for chinese, same := range map[string]bool{
		"a              甲\n    |\n    +-- b  c   `乙`\n    |          （丙）\n": true,
		"a              甲\n    |\n    +-- d  c   `乙`\n    |          （丙）\n": false,
		"a              甲\n    +-- b  c   `乙`\n    |          （丙）\n":        false,
	} {
		if got := slices.Equal(codeLines("tree", english, 1), codeLines("tree", chinese, 1)); got != same {
			t.Errorf("%q: equal is %v", chinese, got)
		}
	}
}

// TestCodeLinesOfJavaScript: what users read may differ, the code may not.
func TestCodeLinesOfJavaScript(t *testing.T) {
	const english = "toast({ title: 'Signed in', icon: 'none' }) // done\n"
	for chinese, same := range map[string]bool{
		"toast({ title: '已登录', icon: 'none' }) // 完成\n": true,
		"toast({ title: '已登录', icon: 'left' })\n":       false,
	} {
		if got := slices.Equal(codeLines("js", english, 1), codeLines("js", chinese, 1)); got != same {
			t.Errorf("%q: equal is %v", chinese, got)
		}
	}
}
