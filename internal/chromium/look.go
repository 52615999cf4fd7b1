package chromium

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots is where Picture writes, for example:
//
//	go test ./cmd/wxgate -run TestPlayground -screenshots /tmp/pictures
var screenshots = flag.String("screenshots", "", "folder for pictures of the pages")

// Resize sets the size of the window, and returns how many pixels the page is too wide.
func (b *Tab) Resize(width int64) (over int) {
	b.T.Helper()
	const height = 960
	Send(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	return Value[int](b, `document.documentElement.scrollWidth - innerWidth`)
}

// Theme has the system prefer light or dark, and no animation: what moves has no contrast to
// measure.
func (b *Tab) Theme(scheme string) {
	b.T.Helper()
	Send(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// Picture writes a picture of the whole page into the folder of -screenshots, if it is set.
func (b *Tab) Picture(name string) {
	b.T.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), Do(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.T.Fatal(err)
	}
}

// Axe returns the script of axe, which checks pages for accessibility. It skips the test if the
// folder of tools is "". CI installs them by the lock file in cmd/wxgate/testdata/axe, and sets
// WXGATE_AXE_TOOLS.
func Axe(t testing.TB, tools string) string {
	t.Helper()
	if tools == "" {
		t.Skip("needs axe-core: WXGATE_AXE_TOOLS is not set")
	}
	text, err := os.ReadFile(filepath.Join(tools, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Accessible has axe check the page as it is now, which the test calls something.
func (b *Tab) Accessible(axe, page string) {
	b.T.Helper()
	b.Run(axe)
	for _, violation := range Do(b, chromedp.Evaluate[[]string](
		`axe.run().then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise)) {
		b.T.Errorf("%s: %s", page, violation)
	}
}
