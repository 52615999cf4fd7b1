// Package internal_test holds the house rules that no linter knows: which
// package may import which, and how a file is kept. It reads the sources of the
// whole module; there is nothing to import here.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/wxgate/wxgate"
	moduleRoot = ".." // from this folder, where go test runs
)

// A source is one Go file of the module.
type source struct {
	name string // from the module's root, with slashes
	dir  string
	test bool
	text []byte
	fset *token.FileSet
	file *ast.File
}

// imports are the paths that the file imports.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// at says where a node is, for a failure message.
func (s source) at(n ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// sourceFiles parses every Go file of the module, whatever its build tags.
// It looks where the go command looks: not in testdata, not in folders whose
// names begin with a dot or an underscore.
func sourceFiles(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := fs.WalkDir(os.DirFS(moduleRoot), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && ignored(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		s, err := parseSource(name)
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("no Go file found: the rules would hold of nothing")
	}
	return sources
}

func ignored(dir string) bool {
	return dir == "testdata" || dir == "vendor" || dir == "node_modules" || dir[0] == '.' || dir[0] == '_'
}

func parseSource(name string) (source, error) {
	s := source{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
	var err error
	if s.text, err = os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(name))); err != nil {
		return s, err
	}
	s.file, err = parser.ParseFile(s.fset, name, s.text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// parseText parses a file that a test made up.
func parseText(t *testing.T, text string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "made_up.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
