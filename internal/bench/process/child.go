package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// stopTimeout is how long a child may take to stop before it is killed.
	stopTimeout = 5 * time.Second
	// keptOutput is how much of the last output of a child is kept for an error message.
	keptOutput = 2 << 10
)

// ErrEnded means that a child ended although it was not stopped.
var ErrEnded = errors.New("process ended")

// Child is a running process.
type Child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser // open as long as this process lives
	output *tail
	done   chan struct{}
}

// Command describes the process to start.
type Command struct {
	Name string // for error messages
	Path string // of the executable
	Args []string
	Env  []string // added to that of this process
}

// Start starts a process. Its standard input ends when this process does, however that
// happens. [Child.Stop] must be called.
func Start(c Command) (*Child, error) {
	child := &Child{name: c.Name, output: new(tail), done: make(chan struct{})}
	// Stop ends the process, not a context, so that it may clean up.
	child.cmd = exec.CommandContext(context.Background(), c.Path, c.Args...) //nolint:gosec // G204: this executable, or the one of --caddy
	child.cmd.Env = append(os.Environ(), c.Env...)
	child.cmd.Stdout, child.cmd.Stderr = child.output, child.output
	child.cmd.WaitDelay = stopTimeout
	var err error
	if child.stdin, err = child.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	if err := child.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s, %s: %w", c.Name, filepath.Base(c.Path), err)
	}
	go func() {
		defer close(child.done)
		_ = child.cmd.Wait() // ended is reported by Err
	}()
	return child, nil
}

// PID returns the ID of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err returns [ErrEnded] with the last lines of the process, or nil while it runs.
func (c *Child) Err() error {
	select {
	case <-c.done:
		return fmt.Errorf("%s: %w: %v; it wrote:\n%s", c.name, ErrEnded, c.cmd.ProcessState, c.output)
	default:
		return nil
	}
}

// Stop ends the process and waits for it. It may be called more than once.
func (c *Child) Stop() error {
	_ = c.stdin.Close() // it may have ended
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = c.cmd.Process.Kill() // Windows has no such signal
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(stopTimeout):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s, process %d: %w", c.name, c.PID(), err)
	}
	<-c.done
	return nil
}

// tail keeps the last lines that were written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - keptOutput; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
