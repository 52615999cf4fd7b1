package chromium

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	// patience is how long a page may take for one step, on a machine that does much else.
	patience  = 30 * time.Second
	pollEvery = 20 * time.Millisecond
)

// Options are what a tab is opened with. The zero value is Chromium as it is.
type Options struct {
	// Origins are where requests may go; a request to another origin fails the test. Without
	// them, requests may go anywhere.
	Origins []string
	// OnRequest is called with the method and the URL of each request, if it is not nil.
	OnRequest func(method, url string)
	// Statuses has each response with an error status fail the test, and each request without
	// a response.
	Statuses bool
}

// Tab is a tab of a Chromium.
type Tab struct {
	T testing.TB

	ctx     context.Context //nolint:containedctx // chromedp's contexts are its tabs
	options Options
	end     func()

	mu    sync.Mutex
	wrong []string
}

// Open opens an empty tab, without cookies. It prefers a light theme and no animation. Errors
// and warnings of its console fail the test, violations of a content security policy too. The
// test's end closes it.
func Open(t testing.TB, o Options) *Tab {
	t.Helper()
	Need(t)
	browser, err := shared.join()
	if err != nil {
		t.Fatal(err)
	}
	b := &Tab{T: t, options: o}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.observe))
	b.ctx = ctx
	b.end = sync.OnceFunc(func() {
		cancel()
		if err := shared.leave(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.Close)
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which lives as long as ctx
		t.Fatal(err)
	}
	Send(b, network.Enable, network.EnableParams{})
	Send(b, log.Enable, cdp.Empty{})
	b.Theme("light")
	return b
}

// Close closes the tab and reports what went wrong in it. Call it before a server ends if the
// page notices that.
func (b *Tab) Close() {
	b.T.Helper()
	b.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range b.wrong {
		b.T.Error(what)
	}
	b.wrong = nil
}

// Send sends a command of the DevTools protocol.
func Send[P, R any](b *Tab, name cdp.Command[P, R], params P) R {
	b.T.Helper()
	return Do(b, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, name, params)
	})
}

// Do runs an action in the tab and returns its value.
func Do[V any](b *Tab, action chromedp.Action[V]) V {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.T.Fatalf("%v; the page is %s", err, b.text())
	}
	return v
}

// Value returns the value of a JavaScript expression.
func Value[V any](b *Tab, expression string) V {
	b.T.Helper()
	return Do(b, chromedp.Evaluate[V](expression))
}

// Run runs JavaScript statements.
func (b *Tab) Run(statements string) {
	b.T.Helper()
	Do(b, chromedp.Evaluate[chromedp.Void](statements))
}

// Wait waits until a JavaScript expression is true, in this page or in one that it goes to.
func (b *Tab) Wait(expression string) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		// It fails while a page goes away.
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
		if is {
			return
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			b.T.Fatalf("waiting for %s: %v; the page is %s", expression, err, b.text())
		}
	}
}

// text returns the address and the text of the page.
func (b *Tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}
