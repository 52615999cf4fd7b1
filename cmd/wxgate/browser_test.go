package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/chromium"
)

// page is a tab of a real browser.
type page struct {
	*chromium.Tab
}

// openPage opens the root of an origin in a new browser. Each request to another origin fails
// the test, and each response with an error status.
func openPage(t *testing.T, address string) *page {
	t.Helper()
	origin := strings.TrimSuffix(address, "/")
	p := &page{chromium.Open(t, chromium.Options{Origins: []string{origin}, Statuses: true})}
	chromium.Do(p.Tab, chromedp.Navigate(address))
	return p
}

// click clicks on the element with an ID.
func (p *page) click(id string) {
	p.T.Helper()
	p.clickOn("#" + id)
}

// clickOn clicks on the first element that a selector finds. The mouse misses an element that
// moves at that moment, since the page grows with each event: it then clicks again.
func (p *page) clickOn(selector string) {
	p.T.Helper()
	const tries = 5
	for range tries {
		p.Run(`window.hit = false; addEventListener("click",
			event => { window.hit = event.target.closest(` + strconv.Quote(selector) + `) !== null }, {capture: true, once: true})`)
		chromium.Do(p.Tab, chromedp.Click(chromedp.CSS(selector)))
		if chromium.Value[bool](p.Tab, `window.hit`) {
			return
		}
	}
	p.T.Fatalf("%d clicks missed %s", tries, selector)
}

// shows waits until an element, by a selector, has a text.
func (p *page) shows(selector, text string) {
	p.T.Helper()
	p.Wait(`[...document.querySelectorAll(` + strconv.Quote(selector) + `)].some(e => e.textContent.includes(` + strconv.Quote(text) + `))`)
}

// leave ends what the page does: it would connect again and again.
func (p *page) leave() {
	p.T.Helper()
	chromium.Do(p.Tab, chromedp.Navigate("about:blank"))
}

// axeScript returns the script of axe, by the lock file of a folder.
func axeScript(t *testing.T) string {
	t.Helper()
	return chromium.Axe(t, npmTools(t, "testdata/axe", "WXGATE_AXE_TOOLS"))
}

// looks shows the page in both languages, both themes and three widths, of which medium is
// one. themed waits until the page has a theme. The names of pictures begin with prefix.
func (p *page) looks(axe, prefix string, medium int64, themed func(theme string)) {
	p.T.Helper()
	for _, language := range []string{"zh-CN", "en"} {
		p.click("language")
		p.Wait(`document.documentElement.lang === ` + strconv.Quote(language))
		for _, theme := range []string{"light", "dark"} {
			p.Theme(theme)
			themed(theme)
			p.Accessible(axe, language+", "+theme)
			for _, width := range []int64{360, medium, 1600} {
				if over := p.Resize(width); over > 0 {
					p.T.Errorf("%s, %s: the page is %d pixels too wide for %d", language, theme, over, width)
				}
				p.Picture(fmt.Sprintf("%s%s-%s-%d", prefix, language, theme, width))
			}
		}
	}
}
