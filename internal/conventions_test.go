package internal_test

import (
	"bytes"
	"go/ast"
	"regexp"
	"slices"
	"testing"
)

// maxLines is how long a file may be that people read: beyond it, it holds more
// than one concern. Tests may be longer: their tables are.
const maxLines = 400

func TestFilesAreShort(t *testing.T) {
	for _, s := range sourceFiles(t) {
		if lines := bytes.Count(s.text, []byte("\n")); lines > maxLines && !s.test {
			t.Errorf("%s has %d lines; at most %d: split it by concern", s.name, lines, maxLines)
		}
	}
}

// A note to oneself is an issue that is not in the tracker.
var noteToSelf = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestNoNotesToSelf(t *testing.T) {
	for _, s := range sourceFiles(t) {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if word := noteToSelf.FindString(c.Text); word != "" {
					t.Errorf("%s says %s: file an issue", s.at(c), word)
				}
			}
		}
	}
}

// A test that sleeps on the real clock is slow on a fast machine and flaky on a
// slow one. In a bubble of testing/synctest, sleeping is how time passes.
func TestTestsSleepOnAFakeClock(t *testing.T) {
	for _, s := range sourceFiles(t) {
		if !s.test || slices.Contains(s.imports(), "testing/synctest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && isSleep(call) {
				t.Errorf("%s sleeps: wait for what is to happen, or use testing/synctest", s.at(n))
			}
			return true
		})
	}
}

func isSleep(n *ast.SelectorExpr) bool {
	pkg, ok := n.X.(*ast.Ident)
	return ok && pkg.Name == "time" && n.Sel.Name == "Sleep"
}

func TestExportedIsDocumented(t *testing.T) {
	documented := map[string]bool{} // package folders with a package comment
	for _, s := range sourceFiles(t) {
		if s.test {
			continue
		}
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: exported %s has no doc comment", s.at(decl), name)
			}
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

// undocumented names what a declaration exports without a word about it.
func undocumented(decl ast.Decl) []string {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Doc == nil && decl.Name.IsExported() && !explainsItself(decl) {
			return []string{decl.Name.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(decl)
	}
	return nil
}

func undocumentedSpecs(decl *ast.GenDecl) []string {
	var names []string
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && (decl.Doc == nil || decl.Lparen.IsValid()) {
				names = append(names, spec.Name.Name)
			}
		case *ast.ValueSpec: // a comment on the block speaks for all of it
			if decl.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// explainsItself is true of methods that no code calls by name: those of
// unexported types, and those that only make a type an error or a Stringer.
func explainsItself(decl *ast.FuncDecl) bool {
	if decl.Recv == nil {
		return false
	}
	if slices.Contains([]string{"Error", "Unwrap", "Is", "String"}, decl.Name.Name) {
		return true
	}
	receiver := decl.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr: // a generic type
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return !r.IsExported()
		default:
			return false
		}
	}
}

// The walk over declarations finds what it should, and leaves the rest.
func TestUndocumented(t *testing.T) {
	const text = `package p

// F is documented.
func F() {}
func G() {}
func h() {}

type T struct{}

// U is documented.
type U[K any] struct{}

func (T) Method()    {}
func (*U[K]) Other() {}
func (*U[K]) Error() string { return "" }

type v struct{}

func (*v) Hidden() {}

// These are documented together.
const (
	A = 1
	B = 2
)

var (
	C = 1
	D = 2 // documented in its line
	e = 3
)

// A group says nothing about its types.
type (
	W int
	// X is documented.
	X int
)
`
	file := parseText(t, text)
	var got []string
	for _, decl := range file.Decls {
		got = append(got, undocumented(decl)...)
	}
	if want := []string{"G", "T", "Method", "Other", "C", "W"}; !slices.Equal(got, want) {
		t.Errorf("undocumented = %q, want %q", got, want)
	}
}
