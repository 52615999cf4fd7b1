package process

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childFlag {
		os.Exit(child(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// childFlag makes this test binary a process that is started by the tests.
const childFlag = "-be"

// child is that process. It returns its exit code.
func child(what string) int {
	switch what {
	case "failing":
		_, _ = os.Stderr.WriteString(strings.Repeat("noise\n", keptOutput) + "cannot start: " + os.Getenv("CAUSE") + "\n")
		return 3
	case "waiting":
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the other process closes it
	}
	return 0
}

func start(t *testing.T, what string) *Child {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(Command{Name: "the server", Path: executable, Args: []string{childFlag, what}, Env: []string{"CAUSE=a test"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// A child that ends by itself is reported with its last lines.
func TestChildEnds(t *testing.T) {
	c := start(t, "failing")
	<-c.Done()
	err := c.Err()
	if !errors.Is(err, ErrEnded) {
		t.Fatalf("%v, want %v", err, ErrEnded)
	}
	for _, part := range []string{"the server", "exit status 3", "noise\ncannot start: a test"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if len(err.Error()) > 2*keptOutput {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestChildStops(t *testing.T) {
	c := start(t, "waiting")
	if err := c.Err(); err != nil {
		t.Fatalf("while it runs: %v", err)
	}
	u, err := Read([]int{c.PID()})
	if err != nil || u.Resident == 0 {
		t.Errorf("its usage: %+v, %v", u, err)
	}
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Err(); !errors.Is(err, ErrEnded) {
		t.Errorf("%v, want %v", err, ErrEnded)
	}
	if _, err := Read([]int{c.PID()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("usage of a process that ended: %v, want ErrNotExist", err)
	}
}

func TestStartReportsMissingExecutable(t *testing.T) {
	_, err := Start(Command{Name: "caddy", Path: "/nonexistent/caddy"})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "caddy") {
		t.Errorf("%v, want ErrNotExist of caddy", err)
	}
}

// The usage of this process grows while it works. If the process is listed twice, it is counted
// twice.
func TestRead(t *testing.T) {
	self := os.Getpid()
	before, err := Read([]int{self})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		after, err := Read([]int{self})
		if err != nil {
			t.Fatal(err)
		}
		if after.CPU > before.CPU {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("CPU time stays %v", after.CPU)
		}
	}
	twice, err := Read([]int{self, self})
	if err != nil || twice.CPU < 2*before.CPU || twice.Anonymous <= before.Anonymous || twice.Anonymous > twice.Resident {
		t.Errorf("%+v after %+v, %v", twice, before, err)
	}
}

func TestListening(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if pids, err := Listening(port); err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("%v, %v; want this process, %d", pids, err, os.Getpid())
	}
	_ = l.Close()
	if pids, err := Listening(port); err != nil || pids != nil {
		t.Errorf("after it was closed: %v, %v", pids, err)
	}
}
