package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long one step may take on a busy machine.
const patience = 2 * time.Minute

// process is a command in the background, in a new process group, as in a shell.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done

	mu  sync.Mutex
	out bytes.Buffer
}

// startProcess runs a command until it ends or the test does.
func startProcess(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{}), cmd: exec.Command(name, args...)}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		if t.Failed() {
			t.Logf("%s %s printed:\n%s", name, strings.Join(args, " "), p.output())
		}
	})
	return p
}

// shortDir returns a temporary directory for a socket, whose path may have only about 100 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // its path has the name of the test, which is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Write records the output of the process.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// signal signals the whole group, because go run is the parent of the gateway.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done: // another process may have its ID by now
		return
	default:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("sending %v: %v", s, err)
	}
}

// kill ends the process with SIGKILL, as a power cut would, and waits.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// interrupt sends SIGINT, as Ctrl-C does. The process must end with exit code 0, except for go
// run, which always ends with 1 after a SIGINT.
func (p *process) interrupt() {
	p.t.Helper()
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		if goRun := strings.Contains(p.cmd.String(), "go run "); p.err != nil && !goRun {
			p.t.Errorf("after SIGINT: %v", p.err)
		}
	case <-time.After(patience):
		p.t.Fatal("the process still runs after SIGINT")
	}
}

// waitFor polls until the process has printed text.
func (p *process) waitFor(text string) {
	p.t.Helper()
	const interval = 20 * time.Millisecond
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if strings.Contains(p.output(), text) {
			return
		}
		select {
		case <-p.done:
			if !strings.Contains(p.output(), text) {
				p.t.Fatalf("the process ended (%v) without printing %q", p.err, text)
			}
		case <-time.After(interval):
		}
	}
	p.t.Fatalf("the process never printed %q", text)
}

// lines returns the lines that begin with prefix.
func lines(text, prefix string) []string {
	var found []string
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), prefix) {
			found = append(found, scanner.Text())
		}
	}
	return found
}

var _ io.Writer = (*process)(nil)
