package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBenchStops interrupts a long run: every process that it started ends, and its files are
// deleted.
func TestBenchStops(t *testing.T) {
	dir := shortDir(t)
	csv := filepath.Join(dir, "rounds.csv")
	p := startProcess(t, dir, []string{"TMPDIR=" + dir}, "wxgate", "bench", "--rounds", "1", "--duration", "10m", "--connections", "2", "--csv", csv)
	started := []string{"--serve-upstream", "/bare/Caddyfile", "/guarded/Caddyfile"}
	awaitCommands(t, dir, started)
	p.signal(syscall.SIGINT)
	<-p.done
	if exit, ok := errors.AsType[*exec.ExitError](p.err); !ok || exit.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1", p.err)
	}
	if out := p.output(); !strings.Contains(out, "interrupted; everything was stopped") {
		t.Errorf("it wrote: %s", out)
	}
	if left := commandsOf(t, dir); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "wxgate-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestBenchExitCodes: invalid arguments have exit code 2.
func TestBenchExitCodes(t *testing.T) {
	for _, args := range [][]string{{"--scenario", "speed"}, {"--rounds", "many"}, {"--no-such-flag"}, {"argument"}, {"--caddy", "/nonexistent/caddy"}} {
		p := startProcess(t, t.TempDir(), nil, "wxgate", append([]string{"bench"}, args...)...)
		<-p.done
		if exit, ok := errors.AsType[*exec.ExitError](p.err); !ok || exit.ExitCode() != 2 {
			t.Errorf("wxgate bench %q: %v, want exit code 2; it wrote: %s", args, p.err, p.output())
		}
	}
}

// commandsOf returns the command lines of the processes that run with TMPDIR=dir.
func commandsOf(t *testing.T, dir string) []string {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, environment := range environments {
		text, err := os.ReadFile(environment)
		if err != nil || !strings.Contains(string(text), "TMPDIR="+dir+"\x00") {
			continue // of another user, ended, or not started here
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(environment), "cmdline"))
		if err == nil && len(command) > 0 {
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return commands
}

// awaitCommands waits until a process runs for each part of a command line.
func awaitCommands(t *testing.T, dir string, parts []string) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-poll.C {
		all := strings.Join(commandsOf(t, dir), "\n")
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(all, part) }) {
			return
		}
	}
	t.Fatalf("not all of %q run; there are %q", parts, commandsOf(t, dir))
}
