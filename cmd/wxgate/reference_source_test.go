package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sourceFacts is the part of docs/reference.md that is read from the source files.
type sourceFacts struct {
	modules                      []moduleFacts
	codes, placeholders, metrics [][]string // rows of tables
}

// moduleFacts are the fields of a type of the configuration.
type moduleFacts struct {
	title  string
	fields [][]string
}

// configTypes are the types of the configuration whose fields are listed, with their headings,
// which name the place in the JSON.
var configTypes = []struct{ dir, name, title string }{
	{"app", "App", "The app: `apps.wxgate`"},
	{"miniprogram", "Config", "A mini program: `apps.wxgate.apps[]`"},
	{"miniprogram", "ComponentConfig", "`apps.wxgate.apps[].component`"},
	{"miniprogram", "APISecurityConfig", "`apps.wxgate.apps[].api_security`"},
	{"miniprogram", "SecurityKeyConfig", "A key: `apps.wxgate.apps[].api_security.encrypt`, `sign` and `verify[]`"},
	{"miniprogram", "CallbackConfig", "`apps.wxgate.apps[].callback`"},
	{"pushes", "Forward", "`apps.wxgate.apps[].callback.forward[]`"},
	{"miniprogram", "SessionLimitConfig", "`apps.wxgate.apps[].session_limit`"},
	{"miniprogram", "RiskConfig", "`apps.wxgate.apps[].risk`"},
	{"app", "StoreConfig", "`apps.wxgate.store`"},
	{"app", "TokenConfig", "`apps.wxgate.token`"},
	{"events", "Config", "`apps.wxgate.events_to`"},
	{"redisstore", "Config", "`apps.wxgate.store.redis`"},
	{"redisstore", "TLS", "`apps.wxgate.store.redis.tls`"},
	{"handler", "Handler", "The handler `wxgate`"},
	{"handler", "Requirement", "`require[]`"},
	{"handler", "TokenSource", "`token_from`"},
	{"handler", "HeaderNames", "`headers`"},
	{"handler", "CORS", "`cors`"},
	{"handler", "Limits", "`limit`"},
	{"handler", "OnStale", "`on_stale`"},
	{"handler", "WaferCompat", "`wafer`"},
	{"handler", "Envelope", "`envelope`"},
	{"handler", "Web", "`web`"},
	{"handler", "Verify", "The handler `wxgate_verify`"},
	{"openapi", "OpenAPI", "The handler `wxgate_openapi`"},
}

// sourceFolders are the folders that declare metrics and the other things that the page lists.
var sourceFolders = []string{
	"caddymodule/app", "caddymodule/events", "caddymodule/handler", "caddymodule/miniprogram", "caddymodule/openapi", "caddymodule/pushes", "caddymodule/redisstore", "caddymodule/request",
	"internal/metrics", "internal/problem",
}

func parseSource(t *testing.T) sourceFacts {
	t.Helper()
	var facts sourceFacts
	structs := map[string]*ast.StructType{} // by folder and name
	for _, folder := range sourceFolders {
		for _, file := range parseFolder(t, folder) {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.TypeSpec:
					if s, ok := n.Type.(*ast.StructType); ok {
						structs[folder+"."+n.Name.Name] = s
					}
				case *ast.ValueSpec:
					facts.addValue(n)
				case *ast.CallExpr:
					facts.addMetric(n)
				}
				return true
			})
		}
	}
	for _, config := range configTypes {
		key := "caddymodule/" + config.dir + "." + config.name
		s, ok := structs[key]
		if !ok {
			t.Errorf("no type %s", key)
			continue
		}
		facts.modules = append(facts.modules, moduleFacts{config.title, fieldRows(s)})
		delete(structs, key)
	}
	for key, s := range structs {
		if name := key[strings.LastIndex(key, ".")+1:]; ast.IsExported(name) && strings.HasPrefix(key, "caddymodule/") && len(fieldRows(s)) > 0 {
			t.Errorf("%s has JSON fields; add it to configTypes", key)
		}
	}
	for _, rows := range [][][]string{facts.codes, facts.placeholders, facts.metrics} {
		if len(rows) == 0 {
			t.Error("a table of the reference is empty: its source has changed")
		}
		slices.SortFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	}
	facts.codes = slices.CompactFunc(facts.codes, slices.Equal)
	return facts
}

func parseFolder(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(moduleRoot, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// fieldRows returns the fields with a JSON name, and their comments.
func fieldRows(s *ast.StructType) [][]string {
	var rows [][]string
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(literal(field.Tag)).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		rows = append(rows, []string{"`" + name + "`", strings.Join(strings.Fields(field.Doc.Text()), " ")})
	}
	return rows
}

// addValue reads the classes of problems and the placeholders.
func (f *sourceFacts) addValue(spec *ast.ValueSpec) {
	if len(spec.Values) != 1 {
		return
	}
	list, ok := spec.Values[0].(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, element := range list.Elts {
		switch spec.Names[0].Name {
		case "classes":
			row := element.(*ast.CompositeLit)
			status := row.Elts[1].(*ast.SelectorExpr).Sel.Name
			f.codes = append(f.codes, []string{"`" + literal(row.Elts[2]) + "`", statusNumber(status)})
		case "placeholders":
			if name := literal(element); name != "" {
				f.placeholders = append(f.placeholders, []string{"`{" + name + "}`"})
			}
		}
	}
}

// statusNumber returns the number of a status constant: 401 for StatusUnauthorized.
func statusNumber(constant string) string {
	for status := 400; status < 600; status++ {
		text := strings.NewReplacer(" ", "", "-", "", "'", "").Replace(http.StatusText(status))
		if "Status"+text == constant {
			return strconv.Itoa(status)
		}
	}
	return constant
}

// addMetric reads a call of prometheus.New…Vec, or of another constructor.
func (f *sourceFacts) addMetric(call *ast.CallExpr) {
	constructor, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return
	}
	name, help := "", ""
	var labels []string
	switch options, isStruct := call.Args[0].(*ast.CompositeLit); {
	case constructor.Sel.Name == "NewDesc":
		name, help = literal(call.Args[0]), literal(call.Args[1])
	case isStruct:
		for _, element := range options.Elts {
			pair, ok := element.(*ast.KeyValueExpr)
			if !ok {
				return
			}
			switch key, _ := pair.Key.(*ast.Ident); key.Name {
			case "Name":
				name = literal(pair.Value)
			case "Help":
				help = literal(pair.Value)
			case "ConstLabels":
				for _, label := range pair.Value.(*ast.CompositeLit).Elts {
					labels = append(labels, "`"+literal(label.(*ast.KeyValueExpr).Key)+"`")
				}
			}
		}
	}
	if !strings.HasPrefix(name, "wxgate_") {
		return
	}
	for _, argument := range call.Args[1:] {
		if list, ok := argument.(*ast.CompositeLit); ok {
			for _, element := range list.Elts {
				labels = append(labels, "`"+literal(element)+"`")
			}
		}
	}
	f.metrics = append(f.metrics, []string{"`" + name + "`", strings.Join(labels, " "), help})
}

// literal returns the value of a string literal, or "" for another expression.
func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return text
}
