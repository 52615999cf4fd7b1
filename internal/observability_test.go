package internal_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	observabilityPage = "docs/observability.md"
	prometheusClient  = "github.com/prometheus/client_golang/prometheus"
	zapLogger         = "go.uber.org/zap"
)

// A series is one metric: its name with its labels, and its type.
type series struct{ name, kind string }

// seriesKinds are the functions that make metrics.
var seriesKinds = map[string]string{
	"NewCounter": "counter", "NewCounterVec": "counter", "NewGauge": "gauge", "NewHistogram": "histogram", "NewHistogramVec": "histogram",
	"NewDesc": "gauge", // of a collector; wxgate's are all gauges
}

// TestSeriesAreDocumented compares the table of docs/observability.md with the metrics
// that the code makes: names, labels and types.
func TestSeriesAreDocumented(t *testing.T) {
	made := map[series]bool{}
	for _, s := range sourceFiles(t) {
		if s.test || !slices.Contains(s.imports(), prometheusClient) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if found, ok := madeSeries(call); ok {
					made[found] = true
				}
			}
			return true
		})
	}
	documented := map[series]bool{}
	row := regexp.MustCompile("(?m)^\\| `(wxgate_[a-z0-9_]+(?:\\{[a-z_,]+\\})?)` \\| (counter|gauge|histogram) \\| \\S")
	for _, m := range row.FindAllStringSubmatch(readPage(t, observabilityPage), -1) {
		documented[series{m[1], m[2]}] = true
	}
	compareSets(t, "series", made, documented)
	if len(made) < 20 {
		t.Errorf("only %d series were found", len(made))
	}
}

// madeSeries returns the metric that a call makes.
func madeSeries(call *ast.CallExpr) (series, bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 || seriesKinds[selector.Sel.Name] == "" {
		return series{}, false
	}
	name, labels := literal(call.Args[0]), []string(nil)
	if options, ok := call.Args[0].(*ast.CompositeLit); ok {
		name = literal(member(options, "Name"))
		if constant, ok := member(options, "ConstLabels").(*ast.CompositeLit); ok {
			for _, element := range constant.Elts {
				labels = append(labels, literal(element.(*ast.KeyValueExpr).Key))
			}
		}
	}
	for _, argument := range call.Args[1:] {
		if list, ok := argument.(*ast.CompositeLit); ok {
			for _, element := range list.Elts {
				labels = append(labels, literal(element))
			}
		}
	}
	if len(labels) > 0 {
		name += "{" + strings.Join(labels, ",") + "}"
	}
	return series{name, seriesKinds[selector.Sel.Name]}, strings.HasPrefix(name, "wxgate_")
}

// member returns the value of a composite literal's field, or nil.
func member(lit *ast.CompositeLit, name string) ast.Expr {
	for _, element := range lit.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
				return pair.Value
			}
		}
	}
	return nil
}

// literal returns the text of a string literal, or of the one that a concatenation begins
// with, or "".
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value) // "" for a number
		return text
	case *ast.BinaryExpr:
		return literal(e.X)
	}
	return ""
}

// A logLine is a message and the level of its line.
type logLine struct{ message, level string }

// TestLogLinesAreDocumented compares the table of docs/observability.md with the lines that
// the code writes: their messages, their levels and their fields.
func TestLogLinesAreDocumented(t *testing.T) {
	written, anyField := writtenLines(t)
	documented := map[logLine]bool{}
	row := regexp.MustCompile("(?m)^\\| (DEBUG|INFO|WARN|ERROR) \\| `([^`]+)` \\|([^|]*)\\| \\S")
	for _, m := range row.FindAllStringSubmatch(readPage(t, observabilityPage), -1) {
		line := logLine{m[2], m[1]}
		documented[line] = true
		fields := inlineNames(m[3])
		for _, field := range written[line] {
			if !slices.Contains(fields, field) {
				t.Errorf("%s has no field %s of the line %q", observabilityPage, field, line.message)
			}
		}
		for _, field := range fields {
			if !anyField[field] {
				t.Errorf("%s has the field %s of the line %q, which no line has", observabilityPage, field, line.message)
			}
		}
	}
	lines := map[logLine]bool{}
	for line := range written {
		lines[line] = true
	}
	compareSets(t, "log line", lines, documented)
	if len(lines) < 20 {
		t.Errorf("only %d lines were found", len(lines))
	}
}

// logLevels are the methods of a logger that write a line.
var logLevels = map[string]string{"Debug": "DEBUG", "Info": "INFO", "Warn": "WARN", "Error": "ERROR"}

// writtenLines returns the lines of all files that use a logger, each with its fields, and
// all names of fields.
func writtenLines(t *testing.T) (lines map[logLine][]string, anyField map[string]bool) {
	t.Helper()
	lines, anyField = map[logLine][]string{}, map[string]bool{}
	var failures []string // the fields of every line of a failed request
	var failed []string   // the messages of these lines
	for _, s := range sourceFiles(t) {
		if s.test || !slices.Contains(s.imports(), zapLogger) && !strings.HasPrefix(s.dir, "internal/gateway") && !strings.HasPrefix(s.dir, rooms) {
			continue
		}
		for _, declaration := range s.file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			whole := fieldsIn(function.Body)
			for _, field := range whole {
				anyField[field] = true
			}
			if s.name == "internal/gateway/failures/failures.go" && function.Name.Name == "Log" {
				failures = whole
			}
			ast.Inspect(function.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if line, fields, ok := lineOf(call, whole); ok {
					lines[line] = fields
				} else if message, ok := failureOf(call); ok {
					failed = append(failed, message)
				}
				return true
			})
		}
	}
	for _, message := range failed {
		lines[logLine{message, "ERROR"}] = failures
	}
	return lines, anyField
}

// lineOf returns the line that a call of a logger writes. Whole are the fields of the
// function around it, for fields that the call does not have itself.
func lineOf(call *ast.CallExpr, whole []string) (logLine, []string, bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return logLine{}, nil, false
	}
	message, level := strings.TrimSpace(literal(call.Args[0])), logLevels[selector.Sel.Name]
	if selector.Sel.Name == "Check" && len(call.Args) == 2 {
		message = literal(call.Args[1])
		if at, ok := call.Args[0].(*ast.SelectorExpr); ok {
			level = logLevels[strings.TrimSuffix(at.Sel.Name, "Level")]
		}
		return logLine{message, level}, whole, message != "" && level != ""
	}
	fields := fieldsIn(call)
	if call.Ellipsis.IsValid() {
		fields = whole
	}
	_, named := selector.X.(*ast.Ident) // zap.Error("...") is no logger
	return logLine{message, level}, fields, message != "" && level != "" && (!named || selector.X.(*ast.Ident).Name != "zap")
}

// failureOf returns the message of a call that logs a failed request.
func failureOf(call *ast.CallExpr) (string, bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "log" && selector.Sel.Name != "Log" {
		return "", false
	}
	for _, argument := range call.Args {
		if message := literal(argument); message != "" {
			return message, true
		}
	}
	return "", false
}

// fieldsIn returns the names of the zap fields that a piece of code makes.
func fieldsIn(n ast.Node) (names []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if library, ok := selector.X.(*ast.Ident); !ok || library.Name != "zap" || len(call.Args) == 0 {
			return true
		}
		name := literal(call.Args[0])
		if id, ok := call.Args[0].(*ast.Ident); ok && id.Name == "requestIDField" {
			name = "uuid"
		}
		if selector.Sel.Name == "Error" {
			name = "error"
		}
		if name != "" {
			names = append(names, name)
		}
		return true
	})
	return names
}

// inlineNames returns what a cell of a table has in backticks.
func inlineNames(cell string) (names []string) {
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compareSets reports what only the code has, and what only the page has.
func compareSets[T comparable](t *testing.T, what string, code, page map[T]bool) {
	t.Helper()
	for x := range code {
		if !page[x] {
			t.Errorf("%s does not have the %s %+v", observabilityPage, what, x)
		}
	}
	for x := range page {
		if !code[x] {
			t.Errorf("%s has the %s %+v, which the code does not have", observabilityPage, what, x)
		}
	}
}
