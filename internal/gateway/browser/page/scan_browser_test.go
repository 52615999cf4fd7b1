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
	b.waitForText(waiting)
	return g, b
}

// TestScan signs in: the page navigates to its return and adds no entry to the history.
func TestScan(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	b.Wait(`document.getElementById("wxgate-image").naturalWidth > 0`)
	if got := chromium.Value[string](b.Tab, `document.getElementById("wxgate-number").textContent`); got != "4 8 2 1 " {
		t.Errorf("the number is %q, want the digits separated by spaces", got)
	}
	if chromium.Value[bool](b.Tab, `document.getElementById("wxgate-again").checkVisibility()`) {
		t.Error("the button is visible")
	}
	entries := chromium.Value[int](b.Tab, `history.length`)
	g.setState("scanned")
	b.waitForText(scanned)
	g.setState("confirmed")
	b.waitForURL("/after?x=1")
	if got := chromium.Value[int](b.Tab, `history.length`); got != entries {
		t.Errorf("the history has %d entries, want %d", got, entries)
	}
	// The gateway checks the origin. The full URL of the page is never sent.
	want := []string{"POST " + api + " " + g.url + " ", "POST " + api + "/scan-1/finish " + g.url + " "}
	if calls, _ := g.recorded(); !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
}

// TestScanEnds: a code that is refused, expired or unknown can be replaced with a new code, by
// keyboard.
func TestScanEnds(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	for state, text := range map[string]string{
		"refused":   "The sign-in was refused on the phone.",
		"expired":   "The code has expired.",
		"surprised": "The sign-in failed.", // of a later version
	} {
		g.setState(state)
		b.waitForText(text)
		b.Run(`document.body.tabIndex = -1; document.body.focus()`)
		b.press("\t")
		b.Wait(`document.activeElement.id === "wxgate-again" && getComputedStyle(document.activeElement).outlineStyle === "solid"`)
		b.press("\r")
		b.waitForText(waiting)
		b.Wait(`document.activeElement.id === "wxgate-status"`) // the button is gone
	}
	g.fail(status(404, ""))
	g.setState("scanned") // ends the poll; the next poll fails
	b.waitForText("The code has expired.")
}

// TestScanIsRefusedAtOnce: after an error of the gateway, the page shows a button and does not
// retry in a loop.
func TestScanIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	g.setState("expired")
	b.waitForText("The code has expired.")
	g.fail(status(403, ""))
	b.click("#wxgate-again")
	b.waitForText("The sign-in failed.")
	b.click("#wxgate-again")
	b.waitForText(waiting)
	// The call after "confirmed" may fail too.
	g.setState("scanned")
	b.waitForText(scanned)
	b.waitForPolls(g, 1) // or the fault is the response of the next poll
	g.fail(status(404, ""))
	g.setState("confirmed")
	b.waitForText("The sign-in failed.")
	if chromium.Value[string](b.Tab, `location.pathname`) != "/login" {
		t.Error("the page navigated away")
	}
}

// TestScanRetries: the page retries after temporary errors, and shows this.
func TestScanRetries(t *testing.T) {
	t.Parallel()
	g := newGateway(t, page.Theme{}, "")
	g.fail(status(429, "1"), breakOff, captive)
	b := openTab(t, g.url, "/login")
	b.waitForText("Too many requests. Trying again in 1 s.")
	b.waitForText("No connection. Trying again…")
	b.waitForText(waiting)
	// The error is no longer shown, although the state is the same.
	g.fail(status(503, ""))
	g.setState("scanned")
	b.waitForText("No connection. Trying again…")
	b.waitForText(scanned)
	g.fail(status(503, ""), status(429, "1"), breakOff)
	g.setState("waiting")
	b.waitForText("No connection. Trying again…")
	b.waitForText("Too many requests. Trying again in 1 s.")
	b.waitForText(waiting)
	g.setState("confirmed")
	b.waitForURL("/after?x=1")
	if calls, _ := g.recorded(); len(calls) != 2 {
		t.Errorf("calls %q", calls)
	}
}

// TestScanHidden: a hidden page does not poll. When it is shown again, it polls at once.
func TestScanHidden(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	b.waitForPolls(g, 1)
	b.Run(`window.hide = hidden => {
		Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
		document.dispatchEvent(new Event("visibilitychange"));
	}; hide(true)`)
	b.waitForPolls(g, 0)
	g.setState("scanned")
	b.settle()
	if got := chromium.Value[string](b.Tab, `document.getElementById("wxgate-status").textContent`); got != waiting {
		t.Errorf("the hidden page shows %q", got)
	}
	b.Run(`hide(false)`)
	b.waitForText(scanned)
	b.waitForPolls(g, 1)
}

// TestScanBackForward: a page restored from the back/forward cache has a new code.
func TestScanBackForward(t *testing.T) {
	t.Parallel()
	g, b := openScan(t)
	b.Run(`dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
	b.waitForPolls(g, 0)
	g.setState("refused")
	b.settle()
	b.Run(`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: false}))`)
	b.waitForText(waiting)
	b.Run(`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	b.until(func() bool { calls, polls := g.recorded(); return len(calls) == 2 && polls == 1 })
	b.waitForText(waiting)
	g.setState("scanned")
	b.waitForText(scanned)
}

// TestScanWithoutScript: without JavaScript, the page shows that it needs it.
func TestScanWithoutScript(t *testing.T) {
	t.Parallel()
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/error")
	chromium.Send(b.Tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/login")
	if text := chromium.Value[string](b.Tab, `document.querySelector("main").innerText`); !containsAll(text, "needs JavaScript") || containsAll(text, "Scan this code") {
		t.Errorf("the page shows %q", text)
	}
}

// TestOwnScan signs in on an operator's page, which uses the built-in script.
func TestOwnScan(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, "scan.html", ownScan)
	write(t, folder, "logo.html", `<link rel="icon" href="data:,"><img id="logo" alt="Logo" src="{{image "logo.svg"}}">`)
	write(t, folder, "logo.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>`)
	g := newGateway(t, page.Theme{}, folder)
	b := openTab(t, g.url, "/login")
	b.waitForText("Own waiting")
	b.Wait(`document.getElementById("logo").naturalWidth === 16`)
	g.setState("confirmed")
	b.waitForURL("/after?x=1")
}
