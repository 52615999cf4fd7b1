// Package chromium opens pages in a real browser, for tests. The tests of a process that run at
// the same time share one Chromium, in which each tab is a browser that knows no other.
package chromium

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// name is the program, as Debian calls it.
const name = "chromium"

// Need skips a test where there is no Chromium. CI installs it, and fails when a test is
// skipped.
func Need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
}

// process is a Chromium that starts with its first tab and ends with the last one.
type process struct {
	mu   sync.Mutex
	ctx  context.Context //nolint:containedctx // chromedp's contexts are its browsers
	tabs int
}

// shared is the Chromium of the tests of this process.
var shared process

// join returns the context of the Chromium, for one more tab.
func (p *process) join() (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tabs == 0 {
		ctx, err := start()
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", name, err)
		}
		p.ctx = ctx
	}
	p.tabs++
	return p.ctx, nil
}

// leave ends the Chromium if no other tab is open.
func (p *process) leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tabs--
	if p.tabs > 0 {
		return nil
	}
	ctx := p.ctx
	p.ctx = nil
	if err := chromedp.Cancel(ctx); err != nil {
		return fmt.Errorf("ending %s: %w", name, err)
	}
	return nil
}

func start() (context.Context, error) {
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(name),
		chromedp.NoSandbox,        // CI is root, which Chromium refuses otherwise
		chromedp.IgnoreCertErrors, // no authority signs for localhost
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("lang", "en-US"))...)
	ctx, _ := chromedp.NewContext(allocated)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, err
	}
	return ctx, nil
}
