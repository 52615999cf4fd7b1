package page_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/chromium"
)

// patience is how long an action may take on a busy machine.
const patience = 20 * time.Second

// tab is a tab of a real browser, for the pages of an origin.
type tab struct {
	*chromium.Tab

	origin string
}

// openTab opens a URL in a new browser. A request to an origin other than that of the URL or
// others fails the test.
func openTab(t *testing.T, origin, path string, others ...string) *tab {
	t.Helper()
	b := &tab{chromium.Open(t, chromium.Options{Origins: append(others, origin)}), origin}
	b.open(path)
	return b
}

func (b *tab) open(path string) {
	b.T.Helper()
	chromium.Do(b.Tab, chromedp.Navigate(b.origin+path))
}

// waitForText waits until the live region of the scan page has a text.
func (b *tab) waitForText(text string) {
	b.T.Helper()
	b.Wait(`document.getElementById("wxgate-status").textContent === ` + strconv.Quote(text))
}

func (b *tab) click(selector string) {
	b.T.Helper()
	chromium.Do(b.Tab, chromedp.Click(chromedp.CSS(selector)))
}

// press presses a key.
func (b *tab) press(key string) {
	b.T.Helper()
	chromium.Do(b.Tab, chromedp.KeyEvent(key))
}

// waitForPolls waits until a number of polls wait at the gateway.
func (b *tab) waitForPolls(g *gateway, want int) {
	b.T.Helper()
	b.until(func() bool { _, polls := g.recorded(); return polls == want })
}

// waitForURL waits until the URL of the tab ends with a text.
func (b *tab) waitForURL(suffix string) {
	b.T.Helper()
	b.Wait(`document.readyState === "complete" && location.href.endsWith(` + strconv.Quote(suffix) + `)`)
}
