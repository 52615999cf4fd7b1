// Command report reads the events of go test -json and prints what go test
// prints without -v: each package's closing line, and the output of tests that
// failed. It adds what plain go test hides: a test that was skipped did not run,
// so the report names it and fails.
//
//	go test -json ./... | go run ./.ci/report
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// An event is a line of go test -json (see go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// A test names one test or subtest; Test is "" for what its package prints.
type test struct{ Package, Test string }

// A tally is what was seen so far.
type tally struct {
	w                       *bufio.Writer
	output                  map[test]*strings.Builder // of tests that are running
	skips                   []string
	errors                  []string // what failed tests reported, and where
	passed, failed, skipped int
	failedPackages          int
}

// report prints the events of r to w; ok means that nothing failed, nothing was
// skipped and something ran.
func report(r io.Reader, w io.Writer) (ok bool, err error) {
	t := tally{w: bufio.NewWriter(w), output: make(map[test]*strings.Builder)}
	if err := t.read(bufio.NewReader(r)); err != nil {
		return false, err
	}
	for _, text := range t.errors {
		fmt.Fprintln(t.w, text)
	}
	for _, skip := range t.skips {
		fmt.Fprint(t.w, skip)
	}
	if t.skipped > 0 {
		fmt.Fprintln(t.w, "Skipped tests ran nothing: .ci/run installs what they need, so they must not skip there.")
	}
	fmt.Fprintf(t.w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	ok = t.passed > 0 && t.failed == 0 && t.failedPackages == 0 && t.skipped == 0
	return ok, t.w.Flush()
}

// read takes every line. They have no bound: tests print what they like.
func (t *tally) read(r *bufio.Reader) error {
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			t.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		if err := t.w.Flush(); err != nil { // who watches sees it as it happens
			return fmt.Errorf("writing the report: %w", err)
		}
	}
}

// line takes one event, or a line that is none: the go command's own words.
func (t *tally) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil || e.Action == "" {
		_, _ = t.w.Write(line)
		return
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.w, e.Output)
	case "output":
		t.keep(e)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.closePackage(e)
		} else {
			t.closeTest(e)
		}
	}
}

// keep holds output back until it is known how the test or package ends.
func (t *tally) keep(e event) {
	of := test{e.Package, e.Test}
	b := t.output[of]
	if b == nil {
		b = new(strings.Builder)
		t.output[of] = b
	}
	b.WriteString(e.Output)
}

// take returns the output held back, and forgets it.
func (t *tally) take(of test) string {
	b := t.output[of]
	delete(t.output, of)
	if b == nil {
		return ""
	}
	return b.String()
}

func (t *tally) closeTest(e event) {
	out := t.take(test{e.Package, e.Test})
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		fmt.Fprint(t.w, out)
		t.noteErrors(e.Test, out)
	case "skip":
		t.skipped++
		t.skips = append(t.skips, e.Package+"\n"+out)
	}
}

// located is how a test begins an error or a log line.
var located = regexp.MustCompile(`^\s+\w+\.go:\d+: `)

// maxErrors is how many lines of a failed test are repeated at the end.
const maxErrors = 5

// noteErrors keeps the first lines that a failed test reported, since what its processes
// printed may be long and a reader of CI sees the end of it all.
func (t *tally) noteErrors(name, out string) {
	n := 0
	for line := range strings.Lines(out) {
		if n < maxErrors && located.MatchString(line) {
			t.errors = append(t.errors, name+": "+strings.TrimSpace(line))
			n++
		}
	}
}

func (t *tally) closePackage(e event) {
	own := t.take(test{Package: e.Package})
	if e.Action == "fail" {
		t.failedPackages++
		// Tests that never ended, in a panic or at the time limit, still hold
		// their output.
		for of := range t.output {
			if of.Package == e.Package {
				fmt.Fprint(t.w, t.take(of))
			}
		}
		fmt.Fprint(t.w, own)
		return
	}
	// Of a package that passed, the closing line: "ok …" or "? … [no test files]".
	for _, line := range slices.Backward(strings.SplitAfter(own, "\n")) {
		if strings.TrimSpace(line) != "" {
			fmt.Fprint(t.w, line)
			return
		}
	}
}
