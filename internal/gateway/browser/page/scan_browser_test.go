package page_test

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// The texts of the states, in English.
const (
	waiting = "Waiting for your phone…"
	scanned = "Scanned. Type the number on your phone."
)

// openScan opens the scan page and waits for its code.
func openScan(t *testing.T) (*gateway, *tab) {
	t.Helper()
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/login")
	b.says(waiting)
	return g, b
}

// TestScan signs in: the page goes to its return and leaves no entry in the history.
func TestScan(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	b.Wait(`document.getElementById("wxgate-image").naturalWidth > 0`)
	if got := chromium.Value[string](b.Tab, `document.getElementById("wxgate-number").textContent`); got != "4 8 2 1 " {
		t.Errorf("the number is %q, want each digit as a word", got)
	}
	if chromium.Value[bool](b.Tab, `document.getElementById("wxgate-again").checkVisibility()`) {
		t.Error("the button is visible")
	}
	entries := chromium.Value[int](b.Tab, `history.length`)
	g.becomes("scanned")
	b.says(scanned)
	g.becomes("confirmed")
	b.arrives("/after?x=1")
	if got := chromium.Value[int](b.Tab, `history.length`); got != entries {
		t.Errorf("the history has %d entries, want %d", got, entries)
	}
	// The origin is what the gateway checks; the address of the page is never sent.
	want := []string{"POST " + api + " " + g.url + " ", "POST " + api + "/scan-1/finish " + g.url + " "}
	if calls, _ := g.noted(); !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
}

// TestScanEnds: a code that is refused, expired or unknown gives way to a new one, by keyboard.
func TestScanEnds(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	for state, text := range map[string]string{
		"refused":   "The sign-in was refused on the phone.",
		"expired":   "The code has expired.",
		"surprised": "The sign-in failed.", // of a later version
	} {
		g.becomes(state)
		b.says(text)
		b.Run(`document.body.tabIndex = -1; document.body.focus()`)
		b.press("\t")
		b.Wait(`document.activeElement.id === "wxgate-again" && getComputedStyle(document.activeElement).outlineStyle === "solid"`)
		b.press("\r")
		b.says(waiting)
		b.Wait(`document.activeElement.id === "wxgate-status"`) // the button is gone
	}
	g.fail(status(404, ""))
	g.becomes("scanned") // ends the poll; the next one fails
	b.says("The code has expired.")
}

// TestScanIsRefusedAtOnce: an error of the gateway ends in a button, not in a loop.
func TestScanIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	g.becomes("expired")
	b.says("The code has expired.")
	g.fail(status(403, ""))
	b.click("#wxgate-again")
	b.says("The sign-in failed.")
	b.click("#wxgate-again")
	b.says(waiting)
	// What comes after "confirmed" may fail too.
	g.becomes("scanned")
	b.says(scanned)
	g.fail(status(404, ""))
	g.becomes("confirmed")
	b.says("The sign-in failed.")
	if chromium.Value[string](b.Tab, `location.pathname`) != "/login" {
		t.Error("the page went away")
	}
}

// TestScanTries: the page tries again after errors that pass, and says that it does.
func TestScanTries(t *testing.T) {
	t.Parallel()
	g := newGateway(t, page.Theme{}, "")
	g.fail(status(429, "1"), breakOff, captive)
	b := openTab(t, g.url, "/login")
	b.says("Too many requests. Trying again in 1 s.")
	b.says("No connection. Trying again…")
	b.says(waiting)
	// What passed is no longer shown, though the state is the same.
	g.fail(status(503, ""))
	g.becomes("scanned")
	b.says("No connection. Trying again…")
	b.says(scanned)
	g.fail(status(503, ""), status(429, "1"), breakOff)
	g.becomes("waiting")
	b.says("No connection. Trying again…")
	b.says("Too many requests. Trying again in 1 s.")
	b.says(waiting)
	g.becomes("confirmed")
	b.arrives("/after?x=1")
	if calls, _ := g.noted(); len(calls) != 2 {
		t.Errorf("calls %q", calls)
	}
}

// TestScanHidden: a page that is hidden does not poll; when it is shown, it does at once.
func TestScanHidden(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	polls := func(want int) { b.until(func() bool { _, polls := g.noted(); return polls == want }) }
	polls(1)
	b.Run(`window.hide = hidden => {
		Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
		document.dispatchEvent(new Event("visibilitychange"));
	}; hide(true)`)
	polls(0)
	g.becomes("scanned")
	b.settle()
	if got := chromium.Value[string](b.Tab, `document.getElementById("wxgate-status").textContent`); got != waiting {
		t.Errorf("the hidden page says %q", got)
	}
	b.Run(`hide(false)`)
	b.says(scanned)
	polls(1)
}

// TestScanBackForward: a page that comes back from the browser's cache of pages has a new code.
func TestScanBackForward(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	b.Run(`dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
	b.until(func() bool { _, polls := g.noted(); return polls == 0 })
	g.becomes("refused")
	b.settle()
	b.Run(`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: false}))`)
	b.says(waiting)
	b.Run(`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	b.until(func() bool { calls, polls := g.noted(); return len(calls) == 2 && polls == 1 })
	b.says(waiting)
	g.becomes("scanned")
	b.says(scanned)
}

// TestScanWithoutScript: the page says what it needs.
func TestScanWithoutScript(t *testing.T) {
	t.Parallel()
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/error")
	chromium.Send(b.Tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/login")
	if text := chromium.Value[string](b.Tab, `document.querySelector("main").innerText`); !containsAll(text, "needs JavaScript") || containsAll(text, "Scan this code") {
		t.Errorf("the page says %q", text)
	}
}

// TestOwnScan signs in on a page of the operator's, which uses the built-in script.
func TestOwnScan(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, "scan.html", ownScan)
	write(t, folder, "logo.html", `<link rel="icon" href="data:,"><img id="logo" alt="Logo" src="{{image "logo.svg"}}">`)
	write(t, folder, "logo.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>`)
	g := newGateway(t, page.Theme{}, folder)
	b := openTab(t, g.url, "/login")
	b.says("Own waiting")
	b.Wait(`document.getElementById("logo").naturalWidth === 16`)
	g.becomes("confirmed")
	b.arrives("/after?x=1")
}
