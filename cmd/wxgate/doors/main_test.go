// Package doors_test walks every door of the gateway as users do: the command itself, a
// simulated WeChat, and real browsers.
package doors_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder for pictures of the pages")

// What the tests share: the command, and one Chromium, in which each test has browsers that
// know nothing of each other.
var (
	binary   string
	chromium context.Context
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "doors")
	if err != nil {
		panic(err)
	}
	code := 1
	if err := prepare(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if chromium != nil {
		_ = chromedp.Cancel(chromium)
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// prepare builds the command and starts Chromium, both while the other does so.
func prepare(dir string) error {
	built := make(chan error, 1)
	go func() { built <- build(dir) }()
	err := startChromium(filepath.Join(dir, "chromium"))
	return errors.Join(<-built, err)
}

// build copies the command out of the cache of `go run`: nothing is linked if the sources are
// those of the last time.
func build(dir string) error {
	binary = filepath.Join(dir, "wxgate")
	out, err := exec.Command("go", "run", "-exec", "cp -t "+dir, "github.com/wxgate/wxgate/cmd/wxgate").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building wxgate: %w\n%s", err, out)
	}
	return nil
}

// startChromium starts it if the machine has it; tests skip otherwise.
func startChromium(data string) error {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil //nolint:nilerr // see needChromium
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(data),
		chromedp.NoSandbox, // CI is root, which Chromium refuses otherwise
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("ignore-certificate-errors", true)) // no authority signs for localhost
	allocated, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocated)
	if err := chromedp.Do(ctx); err != nil {
		return fmt.Errorf("starting chromium: %w", err)
	}
	chromium = ctx //nolint:fatcontext // it is the first
	return nil
}

// needChromium skips a test where there is no Chromium. CI installs it, and fails when a test
// is skipped.
func needChromium(t *testing.T) {
	t.Helper()
	if chromium == nil {
		t.Skip("needs chromium")
	}
}

// needRedis is the same for Redis.
func needRedis(t *testing.T) {
	t.Helper()
	for _, command := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s: install Debian's redis-server", command)
		}
	}
}
