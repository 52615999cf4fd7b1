package page_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// TestContinue posts the form of a ticket. The request has the Origin that the gateway checks,
// and no ticket in its Referer. The policy allows a redirect only to the origin of its return.
func TestContinue(t *testing.T) {
	t.Parallel()
	other := newGateway(t, page.Theme{}, "")
	for name, target := range map[string]string{"same origin": "/after?x=1", "another origin": other.url + "/shop"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, page.Theme{}, "")
			g.asked.Return = target
			b := openTab(t, g.url, "/enter?ticket=a-ticket", other.url)
			b.Wait(`document.querySelector("h1").textContent === "Continue as Alice?"`)
			b.press("\t")
			b.Wait(`document.activeElement.matches("button") && getComputedStyle(document.activeElement).outlineStyle === "solid"`)
			b.press("\r")
			b.waitForURL(target)
			want := []string{"POST /enter " + g.url + " " + g.url + "/"}
			if calls, _ := g.recorded(); !slices.Equal(calls, want) {
				t.Errorf("calls %q, want %q", calls, want)
			}
		})
	}
}

// TestRetry follows the link of an error.
func TestRetry(t *testing.T) {
	t.Parallel()
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/error")
	b.click("a.button")
	b.waitForURL("/v1.0/pub/web/login")
}

// TestLooks shows every page in both languages, both themes and all widths.
func TestLooks(t *testing.T) {
	t.Parallel()
	axe := chromium.Axe(t, os.Getenv("WXGATE_AXE_TOOLS"))
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/error")
	for _, language := range []string{"en", "zh-CN"} {
		for _, name := range []string{"error", "enter"} {
			b.open("/" + name + "?in=" + language)
			b.look(axe, name+"-"+language)
		}
		b.open("/login?in=" + language)
		b.Wait(`document.getElementById("wxgate-image").naturalWidth > 0`)
		for _, state := range []string{"waiting", "scanned", "expired", "refused"} {
			if state == "refused" {
				b.click("#wxgate-again")
				b.Wait(`document.getElementById("wxgate").dataset.state === "waiting"`)
			}
			g.setState(state)
			b.Wait(`document.getElementById("wxgate").dataset.state === ` + strconv.Quote(state))
			b.look(axe, "scan-"+state+"-"+language)
		}
	}
}

// TestThemedLooks: text on an accent color of any lightness is readable.
func TestThemedLooks(t *testing.T) {
	t.Parallel()
	axe := chromium.Axe(t, os.Getenv("WXGATE_AXE_TOOLS"))
	for _, accent := range []string{"#07c160", "#ffff00", "#000080", "#767676"} {
		g := newGateway(t, page.Theme{Accent: accent, Background: accent}, "")
		b := openTab(t, g.url, "/error")
		for _, theme := range []string{"light", "dark"} {
			b.Theme(theme)
			b.Accessible(axe, accent+" "+theme)
			b.Picture("theme-" + accent[1:] + "-" + theme)
		}
		if got := chromium.Value[string](b.Tab, `getComputedStyle(document.documentElement).getPropertyValue("--wxgate-accent")`); got != accent {
			t.Errorf("the accent is %q, want %s", got, accent)
		}
	}
}

// look checks the current page in both themes and all widths.
func (b *tab) look(axe, name string) {
	b.T.Helper()
	for _, theme := range []string{"light", "dark"} {
		b.Theme(theme)
		for _, width := range []int64{320, 360, 768, 1440, 1600} {
			if over := b.Resize(width); over > 0 {
				b.T.Errorf("%s, %s: the page is %d pixels too wide for %d", name, theme, over, width)
			}
			if width != 320 && width != 1600 {
				b.Picture(fmt.Sprintf("%s-%s-%d", name, theme, width))
			}
			if width == 360 || width == 1440 {
				b.Accessible(axe, fmt.Sprintf("%s, %s, %d", name, theme, width))
			}
		}
	}
}

// until waits until a condition on the gateway is true.
func (b *tab) until(happened func() bool) {
	b.T.Helper()
	for deadline := time.Now().Add(patience); !happened(); {
		if time.Now().After(deadline) {
			b.T.Fatal("timeout")
		}
		b.settle()
	}
}

// settle waits for pending work of the page.
func (b *tab) settle() {
	b.T.Helper()
	const milliseconds = 50
	chromium.Do(b.Tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`new Promise(done => setTimeout(done, %d))`, milliseconds), chromedp.EvalAwaitPromise))
}

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
