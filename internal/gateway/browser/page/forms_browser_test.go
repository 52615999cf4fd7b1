package page_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// TestContinue posts the form of a ticket. Its Origin is what the gateway checks, its Referer
// has no ticket, and the policy lets it be redirected to the origin of its return, no other.
func TestContinue(t *testing.T) {
	t.Parallel()
	other := newGateway(t, page.Theme{}, "")
	for name, target := range map[string]string{"same origin": "/after?x=1", "another origin": other.url + "/shop"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, page.Theme{}, "")
			g.asked.Return = target
			b := openTab(t, g.url, "/enter?ticket=a-ticket")
			b.other = other.url
			b.wait(`document.querySelector("h1").textContent === "Continue as Alice?"`)
			do(b, chromedp.KeyEvent("\t"))
			b.wait(`document.activeElement.matches("button") && getComputedStyle(document.activeElement).outlineStyle === "solid"`)
			do(b, chromedp.KeyEvent("\r"))
			b.arrives(target)
			want := []string{"POST /enter " + g.url + " " + g.url + "/"}
			if calls, _ := g.noted(); !slices.Equal(calls, want) {
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
	b.arrives("/v1.0/pub/web/login")
}

// TestLooks shows every page in both languages, both themes and each width.
func TestLooks(t *testing.T) {
	t.Parallel()
	axe := axeSource(t)
	g := newGateway(t, page.Theme{}, "")
	b := openTab(t, g.url, "/error")
	for _, language := range []string{"en", "zh-CN"} {
		for _, name := range []string{"error", "enter"} {
			b.open("/" + name + "?in=" + language)
			b.look(axe, name+"-"+language)
		}
		b.open("/login?in=" + language)
		b.wait(`document.getElementById("wxgate-image").naturalWidth > 0`)
		for _, state := range []string{"waiting", "scanned", "expired", "refused"} {
			if state == "refused" {
				b.click("#wxgate-again")
				b.wait(`document.getElementById("wxgate").dataset.state === "waiting"`)
			}
			g.becomes(state)
			b.wait(`document.getElementById("wxgate").dataset.state === ` + quote(state))
			b.look(axe, "scan-"+state+"-"+language)
		}
	}
}

// TestThemedLooks: an accent of any lightness can be read.
func TestThemedLooks(t *testing.T) {
	t.Parallel()
	axe := axeSource(t)
	for _, accent := range []string{"#07c160", "#ffff00", "#000080", "#767676"} {
		g := newGateway(t, page.Theme{Accent: accent, Background: accent}, "")
		b := openTab(t, g.url, "/error")
		for _, theme := range []string{"light", "dark"} {
			b.theme(theme)
			b.accessible(axe, accent+" "+theme)
			b.picture("theme-" + accent[1:] + "-" + theme)
		}
		if got := value[string](b, `getComputedStyle(document.documentElement).getPropertyValue("--wxgate-accent")`); got != accent {
			t.Errorf("the accent is %q, want %s", got, accent)
		}
	}
}

// look checks the page as it is in both themes and each width.
func (b *tab) look(axe, name string) {
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		for _, width := range []int64{320, 360, 768, 1440, 1600} {
			if over := b.resize(width); over > 0 {
				b.t.Errorf("%s, %s: the page is %d pixels too wide for %d", name, theme, over, width)
			}
			if width != 320 && width != 1600 {
				b.picture(fmt.Sprintf("%s-%s-%d", name, theme, width))
			}
			if width == 360 || width == 1440 {
				b.accessible(axe, fmt.Sprintf("%s, %s, %d", name, theme, width))
			}
		}
	}
}

// until waits until the gateway has seen something.
func (b *tab) until(happened func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !happened(); {
		if time.Now().After(deadline) {
			b.t.Fatal("it did not happen in time")
		}
		b.settle()
	}
}

// arrives waits until the tab is at an address that ends with a text.
func (b *tab) arrives(suffix string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for at := ""; !strings.HasSuffix(at, suffix); {
		if ctx.Err() != nil {
			b.t.Fatalf("the tab is at %q, not at %s", at, suffix)
		}
		// It fails while the page goes away.
		at, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState === "complete" ? location.href : ""`))
	}
}

// settle lets the page do what it has to do now.
func (b *tab) settle() {
	b.t.Helper()
	const milliseconds = 50
	do(b, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`new Promise(done => setTimeout(done, %d))`, milliseconds), chromedp.EvalAwaitPromise))
}

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
