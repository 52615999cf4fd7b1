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

// patience is how long anything may take on a machine that has much else to do.
const patience = 2 * time.Minute

// process is a command in the background, in a process group of its own, as a
// shell would have it.
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
			t.Logf("%s %s said:\n%s", name, strings.Join(args, " "), p.output())
		}
	})
	return p
}

// shortDir is a temporary directory for a socket, whose path has 100 bytes at most.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // names the test, which makes it long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Write takes what the process says.
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

// signal reaches the whole group: go run is not the gateway but its parent.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done: // its number may be another's by now
		return
	default:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("sending %v: %v", s, err)
	}
}

// kill ends it as a power cut would, and waits.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// interrupt is Ctrl-C; it must end the process with exit code 0. The go command
// alone has a 1 of its own after a SIGINT, whatever it ran ended with.
func (p *process) interrupt() {
	p.t.Helper()
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		if goRun := strings.Contains(p.cmd.String(), "go run "); p.err != nil && !goRun {
			p.t.Errorf("after SIGINT: %v", p.err)
		}
	case <-time.After(patience):
		p.t.Fatal("it goes on after SIGINT")
	}
}

// waitFor polls until the process has said text.
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
				p.t.Fatalf("it ended (%v) without saying %q", p.err, text)
			}
		case <-time.After(interval):
		}
	}
	p.t.Fatalf("it never said %q", text)
}

// lines are those that begin with prefix.
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
