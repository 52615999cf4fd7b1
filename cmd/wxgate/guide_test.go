package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestGuide follows docs/guide.md as a reader does: it writes each Caddyfile that the page
// names, runs each block of commands in one shell, from the first to the last, and compares
// what they print with the block of text below them.
func TestGuide(t *testing.T) {
	needCommand(t, "node", "nodejs")
	followPage(t, "guide.md", "")
}

// TestRecipeOfTests follows the recipe for testing a service without a mini program.
func TestRecipeOfTests(t *testing.T) {
	followPage(t, "recipes.md", "## Test a service without a mini program\n")
}

// followPage follows a page from a heading on.
func followPage(t *testing.T, name, heading string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	before, page, found := strings.Cut(string(text), heading)
	steps := guideSteps(page)
	if !found || len(steps) == 0 {
		t.Fatalf("docs/%s has no commands below %q", name, heading)
	}
	above := strings.Count(before+heading, "\n")
	dir := shortDir(t)
	s, err := newSurroundings(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	// The page uses the addresses of `wxgate dev` and of its Caddyfile. The test replaces them.
	addresses := strings.NewReplacer(
		"http://127.0.0.1:9901", s.sim.URL, "http://127.0.0.1:9902", s.sim.ManagementURL,
		"127.0.0.1:9000", strings.TrimPrefix(s.upstream.URL, "http://"),
		"8080", port(t), "8081", port(t), "6379", port(t), "9400", port(t),
	)
	writeReceiver(t, dir)
	sh := startShell(t, dir, s.env)
	sh.send("the start", "unset PORT WX_APPID WX_SECRET WX_API UPSTREAM WXGATE_ADMIN") // the page sets what it needs
	for _, step := range steps {
		if step.file != "" {
			if err := os.WriteFile(filepath.Join(dir, step.file), []byte(addresses.Replace(step.text)), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		where := fmt.Sprintf("docs/%s:%d", name, above+step.line)
		printed := sh.run(where, addresses.Replace(step.text))
		t.Logf("%s\n%s", where, printed)
		if want := guidePattern(addresses.Replace(step.prints)); !want.MatchString(printed) {
			t.Fatalf("%s prints\n%s\nwant\n%s", where, printed, step.prints)
		}
	}
}

// writeReceiver saves the receiver of docs/events.md, as docs/guide.md describes.
func writeReceiver(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	receiver := fencedBlocks(string(text), "js")[0].text
	if err := os.WriteFile(filepath.Join(dir, "receiver.js"), []byte(receiver), 0o600); err != nil {
		t.Fatal(err)
	}
}

// port returns a free port.
func port(t *testing.T) string {
	t.Helper()
	n, err := ports.Take()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n)
}

// guideStep is a file to write, or commands with their output.
type guideStep struct {
	line   int
	file   string // empty for commands
	text   string
	prints string // the expected output; not compared if empty
}

// guideSteps reads the fenced blocks of a page. A file is a block whose first line is a
// comment with the file's name; blocks of other languages are not steps.
func guideSteps(page string) []guideStep {
	type found struct {
		language string
		block
	}
	var blocks []found
	for _, language := range []string{"sh", "text", "caddyfile"} {
		for _, b := range fencedBlocks(page, language) {
			blocks = append(blocks, found{language, b})
		}
	}
	slices.SortFunc(blocks, func(a, b found) int { return a.line - b.line })
	name := regexp.MustCompile(`^# (\w[\w.]*)\n`)
	var steps []guideStep
	for _, b := range blocks {
		switch {
		case b.language == "sh":
			steps = append(steps, guideStep{line: b.line, text: b.text})
		case b.language == "text" && len(steps) > 0 && steps[len(steps)-1].file == "":
			steps[len(steps)-1].prints = b.text
		case b.language == "caddyfile" && name.MatchString(b.text):
			steps = append(steps, guideStep{line: b.line, file: name.FindStringSubmatch(b.text)[1], text: b.text})
		}
	}
	return steps
}

// guidePattern returns a pattern for a block of text: … matches any text of a line, and a line
// with only … matches any number of lines. Columns may be wider or narrower than on the page.
func guidePattern(text string) *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		line = regexp.QuoteMeta(line)
		line = strings.ReplaceAll(line, "…", ".*")
		b.WriteString(regexp.MustCompile(` {2,}`).ReplaceAllString(line, ` +`) + ` *\n`)
	}
	return regexp.MustCompile(`(?:^|\n)` + b.String())
}

// shell is one bash for all blocks, so that the variables of one block are set in the next.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// The shell prints blockDone after a block, and blockFailed when a command failed, which ends
// the shell. The end of its output does not show this, because a gateway that it started keeps
// the output open.
const (
	blockDone   = "\x1edone\n"
	blockFailed = "\x1efailed\n"
)

func startShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	cmd := exec.Command("bash", "-eu")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "NO_PROXY=*")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close() // the shell has its own
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // a failed block was reported
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = read.Close()
	})
	s := &shell{t, in, bufio.NewReader(read)}
	s.send("the start", fmt.Sprintf("trap 'printf %q' EXIT", blockFailed))
	return s
}

func (s *shell) send(where, commands string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, commands); err != nil {
		s.t.Fatalf("%s: %v", where, err)
	}
}

// run runs a block and returns what it printed.
func (s *shell) run(where, block string) string {
	s.t.Helper()
	s.send(where, fmt.Sprintf("%s\nprintf %q", block, blockDone))
	printed, err := s.out.ReadString(blockDone[0])
	if err != nil {
		s.t.Fatalf("%s: %v", where, err)
	}
	printed = strings.TrimSuffix(printed, blockDone[:1])
	if result, err := s.out.ReadString('\n'); err != nil || result != blockDone[1:] {
		s.t.Fatalf("%s failed:\n%s\nIt printed\n%s", where, block, printed)
	}
	return printed
}
