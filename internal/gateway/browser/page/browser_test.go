package page_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder for pictures of the pages")

// patience is how long a page may take for one step, on a machine that does much else.
const patience = 20 * time.Second

// tab is a tab of a real browser.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // chromedp's contexts are its tabs
	origin string
	other  string // another origin that requests may go to

	mu    sync.Mutex
	wrong []string
}

// openTab opens a URL in a new browser. What its console reports as an error fails the test,
// and so does each request to another origin than the URL's.
func openTab(t *testing.T, origin, path string) *tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("needs chromium: %v", err)
	}
	b := &tab{t: t, origin: origin}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium),
		chromedp.NoSandbox, // CI is root, which Chromium refuses otherwise
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("no-proxy-server", true), chromedp.Flag("lang", "en-US"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.observe))
	t.Cleanup(func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, what := range b.wrong {
			t.Error(what)
		}
	})
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which lives as long as ctx
		t.Fatal(err)
	}
	send(b, network.Enable, network.EnableParams{})
	send(b, log.Enable, cdp.Empty{})
	b.theme("light")
	b.open(path)
	return b
}

func (b *tab) open(path string) {
	b.t.Helper()
	do(b, chromedp.Navigate(b.origin+path))
}

// send sends a command of the DevTools protocol.
func send[P, R any](b *tab, name cdp.Command[P, R], params P) {
	b.t.Helper()
	do(b, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, name, params)
	})
}

// do runs an action in the tab and returns its value.
func do[V any](b *tab, action chromedp.Action[V]) V {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		said, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("%v; the page says:\n%s", err, said)
	}
	return v
}

// observe notes errors, violations of the policy among them, and requests to other origins. A
// response with an error status, or none, is an error in Chromium's log: the server means it.
func (b *tab) observe(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text, _ := json.Marshal(e.Args)
			b.wrong = append(b.wrong, "console: "+string(text))
		}
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *log.EventEntryAdded:
		isStatus := e.Entry.Source == log.EntrySourceNetwork && strings.HasPrefix(e.Entry.Text, "Failed to load resource:")
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && !isStatus {
			b.wrong = append(b.wrong, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		known := strings.HasPrefix(e.Request.URL, b.origin+"/") || b.other != "" && strings.HasPrefix(e.Request.URL, b.other+"/")
		if !known && !strings.HasPrefix(e.Request.URL, "data:") {
			b.wrong = append(b.wrong, "request to another origin: "+e.Request.URL)
		}
	}
}

// wait waits until a JavaScript expression is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	const interval = 20 * time.Millisecond
	do(b, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(interval), chromedp.WithPollingTimeout(patience/2))(ctx, target)
		if err != nil {
			err = fmt.Errorf("waiting for %s: %w", expression, err)
		}
		return chromedp.Void{}, err
	})
}

// value returns the value of an expression.
func value[V any](b *tab, expression string) V {
	b.t.Helper()
	return do(b, chromedp.Evaluate[V](expression))
}

// run runs statements.
func (b *tab) run(statements string) {
	b.t.Helper()
	do(b, chromedp.Evaluate[chromedp.Void](statements))
}

// says waits until the live region of the scan page has a text.
func (b *tab) says(text string) {
	b.t.Helper()
	b.wait(`document.getElementById("wxgate-status").textContent === ` + quote(text))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	do(b, chromedp.Click(chromedp.CSS(selector)))
}

// resize sets the size of the window, and returns how many pixels the page is too wide.
func (b *tab) resize(width int64) int {
	b.t.Helper()
	const height = 860
	send(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	return value[int](b, `document.documentElement.scrollWidth - innerWidth`)
}

// theme has the system prefer light or dark, and no animation: what moves has no contrast to
// measure.
func (b *tab) theme(scheme string) {
	b.t.Helper()
	send(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// picture writes a picture of the whole page into the folder of -screenshots, if it is set.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), do(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// axeSource returns the script of axe, which checks pages for accessibility. CI installs it by
// the lock file in cmd/wxgate/testdata/axe.
func axeSource(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("WXGATE_AXE_TOOLS")
	if folder == "" {
		t.Skip("needs axe-core: WXGATE_AXE_TOOLS is not set")
	}
	text, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accessible has axe check the page as it is now.
func (b *tab) accessible(axe, where string) {
	b.t.Helper()
	b.run(axe)
	for _, violation := range do(b, chromedp.Evaluate[[]string](
		`axe.run().then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise)) {
		b.t.Errorf("%s: %s", where, violation)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
