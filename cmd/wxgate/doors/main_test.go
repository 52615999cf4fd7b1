// Package doors_test logs users in through every door of the gateway: with the real command, a
// simulated WeChat and real browsers.
package doors_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the command.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "doors")
	if err != nil {
		panic(err)
	}
	code := 1
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build copies the command from the cache of `go run`: nothing is linked if the sources have not
// changed since the last run.
func build(dir string) error {
	binary = filepath.Join(dir, "wxgate")
	out, err := exec.Command("go", "run", "-exec", "cp -t "+dir, "github.com/wxgate/wxgate/cmd/wxgate").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building wxgate: %w\n%s", err, out)
	}
	return nil
}

// needRedis skips a test if Redis is not installed. CI installs it, and fails if a test is
// skipped.
func needRedis(t *testing.T) {
	t.Helper()
	for _, command := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s: install Debian's redis-server", command)
		}
	}
}
