package doors_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/chromium"
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
	*chromium.Tab

	w      *world
	cookie string // the name of the session cookie

	mu   sync.Mutex
	sent map[string]int // requests, by method and URL without the query
}

// browser opens a browser that shares nothing with others.
func (w *world) browser(k kind, language string) *tab {
	w.t.Helper()
	b := &tab{w: w, cookie: "wxgate", sent: make(map[string]int)}
	if strings.HasPrefix(w.origin, "https:") {
		b.cookie = "__Host-wxgate"
	}
	b.Tab = chromium.Open(w.t, chromium.Options{OnRequest: b.requests})
	b.setKind(k, language)
	return b
}

// requests records a request, and the credentials in its URL.
func (b *tab) requests(method, url string) {
	b.w.noteURL(url)
	b.mu.Lock()
	defer b.mu.Unlock()
	address, _, _ := strings.Cut(url, "?")
	b.sent[method+" "+address]++
}

// setKind sets the kind of the browser and the language of its user.
func (b *tab) setKind(k kind, language string) {
	b.w.t.Helper()
	chromium.Send(b.Tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: k.agent, AcceptLanguage: language})
	chromium.Send(b.Tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: k.width, Height: k.height, DeviceScaleFactor: 1, Mobile: k.width < 600})
}

// open opens a path of the site.
func (b *tab) open(path string) { b.w.t.Helper(); b.visit(b.w.origin + path) }

func (b *tab) visit(address string) { b.w.t.Helper(); chromium.Do(b.Tab, chromedp.Navigate(address)) }

// sentTo returns how many requests the tab sent to a path of the site.
func (b *tab) sentTo(method, path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[method+" "+b.w.origin+path]
}

// arrives waits until the tab shows the page with an address.
func (b *tab) arrives(address string) {
	b.w.t.Helper()
	b.Wait(`document.readyState === "complete" && location.href === ` + strconv.Quote(address))
}

func (b *tab) click(selector string) {
	b.w.t.Helper()
	b.Wait(`document.querySelector(` + strconv.Quote(selector) + `)`)
	chromium.Do(b.Tab, chromedp.Click(chromedp.CSS(selector)))
}

// picks picks a user on the page of the simulator.
func (b *tab) picks(name string) {
	b.w.t.Helper()
	b.Wait(`document.readyState === "complete" && location.href.startsWith(` + strconv.Quote(b.w.sim.URL+"/connect/") + `)`)
	b.Run(`[...document.querySelectorAll("a")].find(a => a.textContent === ` + strconv.Quote(name) + `).click()`)
}

// session returns the value of the session cookie, or "" if there is none.
func (b *tab) session() string {
	b.w.t.Helper()
	for _, c := range chromium.Send(b.Tab, network.GetCookies, network.GetCookiesParams{URLs: []string{b.w.origin}}).Cookies {
		if c.Name == b.cookie {
			b.w.note("cookie", c.Value)
			return c.Value
		}
	}
	return ""
}

// who returns the identity headers that the page of the upstream shows.
func (b *tab) who() map[string]string {
	b.w.t.Helper()
	return chromium.Value[map[string]string](b.Tab, `Object.fromEntries([...document.querySelectorAll("p[id]")].map(p => [p.id, p.textContent]))`)
}

// looks checks that the page fits its window and has a language, and takes a picture of it.
func (b *tab) looks(name, language string) {
	b.w.t.Helper()
	if over := chromium.Value[int](b.Tab, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		b.w.t.Errorf("%s: the page is %d pixels too wide", name, over)
	}
	if got := chromium.Value[string](b.Tab, `document.documentElement.lang`); got != language {
		b.w.t.Errorf("%s: the language is %q, want %q", name, got, language)
	}
	b.Picture(fmt.Sprintf("%s-%s-%d", name, language, chromium.Value[int](b.Tab, `innerWidth`)))
}

func quoteAll(s []string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
