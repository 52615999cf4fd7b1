package doors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// kind is a kind of browser.
type kind struct {
	agent         string
	width, height int64
}

// The browsers of users: on a PC, inside WeChat, the web-view of a mini program, and another
// phone without WeChat.
var (
	onPC = kind{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", 1440, 900,
	}
	onPhone = kind{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003233) NetType/WIFI Language/zh_CN", 360, 780,
	}
	inWebView = kind{onPhone.agent + " miniProgram/" + program.ID, 360, 780}
	onAndroid = kind{"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", 360, 780}
)

// tab is a tab of a real browser.
type tab struct {
	w      *world
	ctx    context.Context //nolint:containedctx // chromedp's contexts are its tabs
	cookie string          // the name of the session cookie

	mu    sync.Mutex
	wrong []string
	sent  map[string]int // requests, by method and URL without the query
}

// browser opens a browser that knows no other. What its console reports as an error fails the
// test, violations of policies too.
func (w *world) browser(k kind, language string) *tab {
	w.t.Helper()
	b := &tab{w: w, cookie: "wxgate", sent: make(map[string]int)}
	if strings.HasPrefix(w.origin, "https:") {
		b.cookie = "__Host-wxgate"
	}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.observe))
	b.ctx = ctx
	w.t.Cleanup(func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, what := range b.wrong {
			w.t.Error(what)
		}
	})
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which lives as long as ctx
		w.t.Fatal(err)
	}
	send(b, network.Enable, network.EnableParams{})
	send(b, log.Enable, cdp.Empty{})
	b.is(k, language)
	return b
}

// is makes the browser one of a kind, whose user reads a language.
func (b *tab) is(k kind, language string) {
	b.w.t.Helper()
	send(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: k.agent, AcceptLanguage: language})
	send(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: k.width, Height: k.height, DeviceScaleFactor: 1, Mobile: k.width < 600})
}

// open opens a path of the site.
func (b *tab) open(path string) { b.w.t.Helper(); b.visit(b.w.origin + path) }

func (b *tab) visit(address string) { b.w.t.Helper(); do(b, chromedp.Navigate(address)) }

// send sends a command of the DevTools protocol.
func send[P, R any](b *tab, name cdp.Command[P, R], params P) R {
	b.w.t.Helper()
	return do(b, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, name, params)
	})
}

// do runs an action in the tab and returns its value.
func do[V any](b *tab, action chromedp.Action[V]) V {
	b.w.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		said, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		b.w.t.Fatalf("%v; the page is %s", err, said)
	}
	return v
}

// observe notes errors, violations of policies among them, and the credentials that the
// browser meets. A response with an error status is an error in Chromium's log: it is meant.
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
		b.w.noteURL(e.Request.URL)
		address, _, _ := strings.Cut(e.Request.URL, "?")
		b.sent[e.Request.Method+" "+address]++
	}
}

// sentTo returns how many requests the tab sent to a path of the site.
func (b *tab) sentTo(method, path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[method+" "+b.w.origin+path]
}

// forgive forgets errors with a text, and returns how many there are: at least one. The page of
// an attacker gets them when it is stopped.
func (b *tab) forgive(text string) (n int) {
	b.w.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := b.wrong[:0]
	for _, what := range b.wrong {
		if !strings.Contains(what, text) {
			rest = append(rest, what)
		}
	}
	n = len(b.wrong) - len(rest)
	if n == 0 {
		b.w.t.Errorf("the browser did not report %q, but %q", text, b.wrong)
	}
	b.wrong = rest
	return n
}

// wait waits until a JavaScript expression is true.
func (b *tab) wait(expression string) {
	b.w.t.Helper()
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
			said, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
			b.w.t.Fatalf("waiting for %s: %v; the page is %s", expression, err, said)
		}
	}
}

// arrives waits until the tab has a page with an address.
func (b *tab) arrives(address string) {
	b.w.t.Helper()
	b.wait(`document.readyState === "complete" && location.href === ` + quote(address))
}

// value returns the value of an expression.
func value[V any](b *tab, expression string) V {
	b.w.t.Helper()
	return do(b, chromedp.Evaluate[V](expression))
}

// run runs statements.
func (b *tab) run(statements string) {
	b.w.t.Helper()
	do(b, chromedp.Evaluate[chromedp.Void](statements))
}

func (b *tab) click(selector string) {
	b.w.t.Helper()
	b.wait(`document.querySelector(` + quote(selector) + `)`)
	do(b, chromedp.Click(chromedp.CSS(selector)))
}

// picks picks a user on the page of the simulator.
func (b *tab) picks(name string) {
	b.w.t.Helper()
	b.wait(`document.readyState === "complete" && location.href.startsWith(` + quote(b.w.sim.URL+"/connect/") + `)`)
	b.run(`[...document.querySelectorAll("a")].find(a => a.textContent === ` + quote(name) + `).click()`)
}

// session returns the value of the session cookie, "" for none.
func (b *tab) session() string {
	b.w.t.Helper()
	for _, c := range send(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.w.origin}}).Cookies {
		if c.Name == b.cookie {
			b.w.note("cookie", c.Value)
			return c.Value
		}
	}
	return ""
}

// who returns what the page of the upstream shows of the user.
func (b *tab) who() map[string]string {
	b.w.t.Helper()
	return value[map[string]string](b, `Object.fromEntries([...document.querySelectorAll("p[id]")].map(p => [p.id, p.textContent]))`)
}

// picture writes a picture of the whole page into the folder of -screenshots, if it is set.
func (b *tab) picture(name string) {
	b.w.t.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), do(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.w.t.Fatal(err)
	}
}

// looks checks that the page fits its window and has a language, and pictures it.
func (b *tab) looks(name, language string) {
	b.w.t.Helper()
	if over := value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		b.w.t.Errorf("%s: the page is %d pixels too wide", name, over)
	}
	if got := value[string](b, `document.documentElement.lang`); got != language {
		b.w.t.Errorf("%s: the language is %q, want %q", name, got, language)
	}
	b.picture(fmt.Sprintf("%s-%s-%d", name, language, value[int](b, `innerWidth`)))
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

func quoteAll(s []string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
