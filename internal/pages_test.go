package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A page is one Markdown file for readers of the repository.
type page struct {
	name string // from the module's root, with slashes
	text string
}

// pages reads the pages at the root, those of the npm package, internal/mutants.md and
// everything below docs and deploy.
func pages(t *testing.T) []page {
	t.Helper()
	root := os.DirFS(moduleRoot)
	names := []string{
		"AGENTS.md", "CHANGELOG.md", "README.md", "README.zh-CN.md", "SECURITY.md", "SECURITY.zh-CN.md", "SKILL.md", "docs/llms.txt",
		"client/README.md", "client/README.zh-CN.md", "internal/mutants.md",
	}
	for _, folder := range []string{"docs", "deploy"} {
		err := fs.WalkDir(root, folder, func(name string, _ fs.DirEntry, err error) error {
			if path.Ext(name) == ".md" {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var found []page
	for _, name := range names {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page{name, string(text)})
	}
	return found
}

// A phrasing is text that readers with little English don't find or don't
// understand, and what to write instead.
type phrasing struct {
	old   *regexp.Regexp
	write string
}

// oldPhrases must not come back, in pages and in Go files: their comments and strings.
var oldPhrases = []phrasing{
	{regexp.MustCompile(`(?i)\b(stands? twice|no member twice and each)\b`), "duplicate"},
	{regexp.MustCompile(`(?i)\bunknown word\b`), "unrecognized option"},
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "fix"},
	{regexp.MustCompile(`(?i)\bwhen it is not there\b`), "default"},
	{regexp.MustCompile(`(?i)\bboth stand there\b`), "mutually exclusive"},
	{regexp.MustCompile(`(?i)\bstand in the URL and in words\b`), "conflicting credentials"},
	{regexp.MustCompile(`(?i)\bstands for two things\b`), "is used twice"},
	{regexp.MustCompile(`(?i)\bis not heard here\b`), "is only supported on"},
	{regexp.MustCompile(`(?i)\b(un)?heard\b`), "received"},
	{regexp.MustCompile(`(?i)\bread to its end\b`), "incomplete"},
	{regexp.MustCompile(`(?i)\bidentity may not do this\b`), "name the cause"},
	{regexp.MustCompile(`(?i)\bthat the login answered\b`), "returned by login"},
	{regexp.MustCompile(`(?i)\bis this its admin address\b`), "report this only if the connection fails"},
	{regexp.MustCompile(`(?i)\bby another name, it may be\b`), "other names are refused to prevent DNS rebinding"},
	{regexp.MustCompile(`(?i)\bdoes not know what is asked for\b`), "cannot determine the original URI"},
	{regexp.MustCompile(`(?i)\bnobody can say\b`), "unknown"},
	{regexp.MustCompile(`(?i)\bcould not be kept up\b`), "maintenance failed"},
	{regexp.MustCompile(`(?i)\brequest refused: over\b`), "outage over"},
	{regexp.MustCompile(`(?i)\brevoked without end\b`), "revoked repeatedly"},
	{regexp.MustCompile(`(?i)\bold, of \S+ at most\b`), "is off by (limit)"},
	{regexp.MustCompile(`(?i)\bsomebody else('s)?\b`), "another client"},
	{regexp.MustCompile(`(?i)\bclocks of both\b`), "measured across both clocks"},
	{regexp.MustCompile(`(?i)\btries whether\b`), "tests"},
	{regexp.MustCompile(`(?i)\bbelow which none is\b`), "without authentication"},
	{regexp.MustCompile(`(?i)\bgives way to a free one\b`), "if the port is in use, a free port is chosen"},
	{regexp.MustCompile(`\bSee it (hold|work)\b`), "Test it against attacks; Quick start"},
	{regexp.MustCompile(`(?i)\b(every word but|stands? once in all)\b`), "every option except ... may appear once"},
	{regexp.MustCompile(`(?i)\bis the same the other way\b`), "swap the arguments"},
	{regexp.MustCompile(`(?i)\bwas good for\b`), "the result of"},
	{regexp.MustCompile(`(?i)\b(is|are) away\b`), "is down, is unreachable"},
}

// oldWords must not come back in the prose of pages. Go sources still have some of
// them as names of variables.
var oldWords = []phrasing{
	{regexp.MustCompile(`(?i)\b(whoever|somebody|nobody)\b`), "any client, another process, no one: name who"},
	{regexp.MustCompile(`\b(told|tells)\b`), "report, log, show, configure"},
	{regexp.MustCompile(`(?i)\bhears?\b`), "receive"},
	{regexp.MustCompile(`(?i)\banswer(s|ed|ing)?\b`), "return, respond; response"},
	{regexp.MustCompile(`(?i)\bstrangers?\b`), "an unauthenticated client"},
	{regexp.MustCompile(`(?i)\b(stands?|stood)\b`), "appears, is"},
	{regexp.MustCompile(`(?i)\b(is|are) none of\b`), "expected one of"},
	{regexp.MustCompile(`(?i)\bof (its|their) own\b`), "separate, dedicated"},
	{regexp.MustCompile(`(?i)\b(in|other|these|those|those three|three) words\b`), "options, error codes"},
	{regexp.MustCompile(`(?i)\bbe they\b`), "even if"},
	{regexp.MustCompile(`(?i)\bas ever\b`), "as before"},
	{regexp.MustCompile(`(?i)\b(twins|its kin|and the like|its like)\b`), "name the things"},
	{regexp.MustCompile(`(?i)\b(go|goes|going|went) on\b`), "continue"},
	{regexp.MustCompile(`(?i)\bin (clear|force|good order)\b`), "unencrypted; in effect, enforced; regular"},
	{regexp.MustCompile(`(?i)\b(hand it on|handed on|next door|of ours|of before)\b`), "forward; in the same pod; wxgate's; earlier"},
	{regexp.MustCompile(`(?i)\bby (itself|themselves)\b`), "automatically; separately"},
	{regexp.MustCompile(`(^|[.;:|] +)Who `), "a client that, a process that: name who"},
}

// TestPagesSayItPlainly keeps old phrases out of the pages and the Go files.
func TestPagesSayItPlainly(t *testing.T) {
	for _, p := range pages(t) {
		for _, problem := range unplain(p.text, oldPhrases) {
			t.Errorf("%s:%s", p.name, problem)
		}
		for _, problem := range unplain(prose(p.text), oldWords) {
			t.Errorf("%s:%s", p.name, problem)
		}
	}
	for _, s := range sourceFiles(t) {
		if s.name == "internal/pages_test.go" { // which has the phrases
			continue
		}
		for _, text := range texts(s) {
			for _, problem := range unplain(text.value, oldPhrases) {
				t.Errorf("%s: %s", s.at(text.node), problem)
			}
		}
	}
}

// unplain lists the phrases found in a text as "line: phrase: write ...".
func unplain(text string, phrasings []phrasing) []string {
	var found []string
	for _, p := range phrasings {
		// A line break may be anywhere in a phrase.
		for _, at := range p.old.FindAllStringIndex(strings.ReplaceAll(text, "\n", " "), -1) {
			line := 1 + strings.Count(text[:at[0]], "\n")
			found = append(found, strconv.Itoa(line)+": "+strconv.Quote(text[at[0]:at[1]])+": write "+p.write)
		}
	}
	return found
}

var inlineCode = regexp.MustCompile("`[^`\n]*`")

// prose blanks fenced blocks and inline code; the number of lines stays.
func prose(markdown string) string {
	return inlineCode.ReplaceAllString(withoutFences(markdown), "`")
}

// withoutFences blanks fenced blocks.
func withoutFences(markdown string) string {
	var lines []string
	fenced := false
	for line := range strings.SplitSeq(markdown, "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			fenced = !fenced
		}
		if fence || fenced {
			line = ""
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// A sourceText is a comment or a string of a Go file.
type sourceText struct {
	node  ast.Node
	value string
}

func texts(s source) []sourceText {
	var found []sourceText
	for _, group := range s.file.Comments {
		found = append(found, sourceText{group, group.Text()})
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if value, err := strconv.Unquote(lit.Value); err == nil {
				found = append(found, sourceText{lit, value})
			}
		}
		return true
	})
	return found
}

// The phrases are found where they are, also across a line break, and words in code
// are left alone.
func TestUnplain(t *testing.T) {
	const text = "Fine.\nThe option stands\ntwice. `nobody` is code.\n\n```js\nnobody()\n```\nNobody knows.\n"
	if got, want := unplain(text, oldPhrases), []string{`2: "stands\ntwice": write duplicate`}; !slices.Equal(got, want) {
		t.Errorf("phrases %q, want %q", got, want)
	}
	words := unplain(prose(text), oldWords)
	if len(words) != 2 || !strings.HasPrefix(words[0], `8: "Nobody"`) || !strings.HasPrefix(words[1], `2: "stands"`) {
		t.Errorf("words %q", words)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "made_up.go", "package p\n\n// Mend mends it.\nfunc Mend() string { return \"app stands twice\" }\n", parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	s := source{name: "made_up.go", fset: fset, file: file}
	var got []string
	for _, text := range texts(s) {
		for _, problem := range unplain(text.value, oldPhrases) {
			got = append(got, s.at(text.node)+" "+problem)
		}
	}
	want := []string{`made_up.go:3 1: "Mend": write fix`, `made_up.go:3 1: "mends": write fix`, `made_up.go:4 1: "stands twice": write duplicate`}
	if !slices.Equal(got, want) {
		t.Errorf("Go texts %q, want %q", got, want)
	}
}
