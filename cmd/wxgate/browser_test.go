package main

import (
	"context"
	"encoding/json"
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

// browserPatience is how long a page may take for one step, on a machine that does much else.
const browserPatience = 20 * time.Second

// page is a tab of a real browser.
type page struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp's contexts are its tabs
	url string

	cancel context.CancelFunc

	mu    sync.Mutex
	wrong []string
}

// openPage opens a URL in a new browser. What its console reports as an error fails the test
// when the page is closed, and so does every request to another host.
func openPage(t *testing.T, address string) *page {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("needs chromium: %v", err)
	}
	p := &page{t: t, url: address}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium),
		chromedp.NoSandbox, // CI is root, which Chromium refuses otherwise
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("no-proxy-server", true), chromedp.Flag("lang", "en-US"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(p.observe))
	t.Cleanup(cancel)
	p.ctx, p.cancel = ctx, cancel
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which lives as long as ctx
		t.Fatal(err)
	}
	send(p, network.Enable, network.EnableParams{})
	send(p, log.Enable, cdp.Empty{})
	p.theme("light")
	do(p, chromedp.Navigate(address))
	return p
}

// close ends the browser and reports what went wrong in the page. Call it before the server
// ends, since the page notices that.
func (p *page) close() {
	p.t.Helper()
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, what := range p.wrong {
		p.t.Error(what)
	}
	p.wrong = nil
}

// send sends a command of the DevTools protocol.
func send[P, R any](p *page, name cdp.Command[P, R], params P) {
	p.t.Helper()
	do(p, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, name, params)
	})
}

// do runs an action in the tab and returns its value.
func do[V any](p *page, action chromedp.Action[V]) V {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, browserPatience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		said, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		p.t.Fatalf("%v; the page says:\n%s", err, said)
	}
	return v
}

// observe notes errors, and requests to other hosts.
func (p *page) observe(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text, _ := json.Marshal(e.Args)
			p.wrong = append(p.wrong, "console: "+string(text))
		}
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.wrong = append(p.wrong, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, p.url) && !strings.HasPrefix(e.Request.URL, "data:") {
			p.wrong = append(p.wrong, "request to another host: "+e.Request.URL)
		}
	}
}

// wait waits until a JavaScript expression is true.
func (p *page) wait(expression string) {
	p.t.Helper()
	const interval = 30 * time.Millisecond
	do(p, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(interval), chromedp.WithPollingTimeout(browserPatience/2))(ctx, target)
		if err != nil {
			err = fmt.Errorf("waiting for %s: %w", expression, err)
		}
		return chromedp.Void{}, err
	})
}

// value returns the value of an expression.
func value[V any](p *page, expression string) V {
	p.t.Helper()
	return do(p, chromedp.Evaluate[V](expression))
}

// click clicks on the element with an ID.
func (p *page) click(id string) {
	p.t.Helper()
	p.clickOn("#" + id)
}

// clickOn clicks on the first element that a selector finds. The mouse misses an element that
// moves at that moment, since the page grows with each event: it then clicks again.
func (p *page) clickOn(selector string) {
	p.t.Helper()
	const tries = 5
	for range tries {
		do(p, chromedp.Evaluate[chromedp.Void](`window.hit = false; addEventListener("click",
			event => { window.hit = event.target.closest(`+quote(selector)+`) !== null }, {capture: true, once: true})`))
		do(p, chromedp.Click(chromedp.CSS(selector)))
		if value[bool](p, `window.hit`) {
			return
		}
	}
	p.t.Fatalf("%d clicks missed %s", tries, selector)
}

// shows waits until an element, by a selector, has a text.
func (p *page) shows(selector, text string) {
	p.t.Helper()
	p.wait(`[...document.querySelectorAll(` + quote(selector) + `)].some(e => e.textContent.includes(` + quote(text) + `))`)
}

// resize sets the size of the window, and returns how many pixels the page is too wide.
func (p *page) resize(width int64) int {
	p.t.Helper()
	const height = 960
	send(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	return value[int](p, `document.documentElement.scrollWidth - innerWidth`)
}

// theme has the system prefer light or dark, and no animation: what moves has no contrast to
// measure.
func (p *page) theme(scheme string) {
	p.t.Helper()
	send(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// picture writes a picture of the whole page into the folder of -screenshots, if it is set.
func (p *page) picture(name string) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), do(p, chromedp.FullScreenshot(100)), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// axeFolder has the lock file of what checks a page for accessibility.
const axeFolder = "testdata/axe"

// axeSource returns the script of axe.
func axeSource(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(npmTools(t, axeFolder, "WXGATE_AXE_TOOLS"), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accessible has axe check the page as it is now.
func (p *page) accessible(axe string) {
	p.t.Helper()
	do(p, chromedp.Evaluate[chromedp.Void](axe))
	for _, violation := range do(p, chromedp.Evaluate[[]string](
		`axe.run().then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise)) {
		p.t.Error(violation)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// looks shows the page in both languages, both themes and three widths, of which medium is
// one. themed waits until the page has a theme. The names of pictures begin with prefix.
func (p *page) looks(axe, prefix string, medium int64, themed func(theme string)) {
	p.t.Helper()
	for _, language := range []string{"zh-CN", "en"} {
		p.click("language")
		p.wait(`document.documentElement.lang === ` + quote(language))
		for _, theme := range []string{"light", "dark"} {
			p.theme(theme)
			themed(theme)
			p.accessible(axe)
			for _, width := range []int64{360, medium, 1600} {
				if over := p.resize(width); over > 0 {
					p.t.Errorf("%s, %s: the page is %d pixels too wide for %d", language, theme, over, width)
				}
				p.picture(fmt.Sprintf("%s%s-%s-%d", prefix, language, theme, width))
			}
		}
	}
}
