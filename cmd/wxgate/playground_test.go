package main

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wxgate/wxgate/internal/chromium"
)

// updatePicture writes the picture of the documentation anew.
var updatePicture = flag.Bool("update-playground", false, "write docs/playground.png and docs/zh/playground.png")

// TestPlayground clicks through the page of `wxgate dev` in a real browser.
func TestPlayground(t *testing.T) {
	axe := axeScript(t)
	dev := startProcess(t, "", []string{"TMPDIR=" + shortDir(t)}, "wxgate", "dev", "--port", "0")
	dev.waitFor("\ncontrols ")
	first, _, _ := strings.Cut(dev.output(), "\n")
	address, ok := strings.CutPrefix(first, "playground  ")
	if !ok {
		t.Fatalf("the first line is %q", first)
	}
	p := openPage(t, address)
	p.Resize(1600)
	p.shows("#person-note", "Not logged in")
	p.shows("#tour-step", "Step 1 of 8:")
	p.Accessible(axe, "at first")
	p.Picture("empty")
	phoneOf(p)
	forgedHeader(p)
	revocation(p)
	armedFault(p)
	doorsOf(p)
	attackOf(p)
	keyboard(p)
	p.shows("#tour-text", "You have tried all the steps.")
	p.click("tour-end")
	p.Wait(`document.getElementById("tour").hidden && document.activeElement.id === "h-phone"`)
	p.Accessible(axe, "at last")
	looks(p, axe)
	p.shows("#person", "alice")
	p.Wait(`document.querySelector("#corpus button") !== null`)
	dev.interrupt()
	stopped(p)
	p.Close()
}

// stopped: the page says that wxgate dev is down, also if a button is clicked.
func stopped(p *page) {
	p.T.Helper()
	p.shows("#offline:not([hidden])", "wxgate dev does not respond. Start it again")
	p.click("orders")
	p.shows("#toast", "wxgate dev does not respond.")
	p.click("fault-busy")
	p.shows("#problem", "wxgate dev does not respond.")
	p.Wait(`!document.getElementById("fault-busy").checked`)
	p.clickOn(`#corpus button`)
	p.shows("#verdict", "inconclusive")
	p.leave()
	p.Forgive("ERR_CONNECTION_REFUSED")
}

// phoneOf logs in, shares the phone number both ways, and is refused before that.
func phoneOf(p *page) {
	p.T.Helper()
	p.click("orders")
	p.shows("#toast", "401 missing_token")
	p.click("phone-data")
	p.shows("#toast", "Log in first")
	p.click("login")
	p.shows("#toast", "200")
	p.shows(".step .label", "/sns/jscode2session")
	p.shows("#detail", `"client_id": "wx0000000000000001"`)
	p.shows("#curl", "code=$(curl -sS ")
	p.click("vip")
	p.shows("#toast", "403 phone_required")
	pasted(p, "403 ")
	p.click("phone-data")
	p.Wait(`/alice · 100\d{8}/.test(document.getElementById("person-note").textContent)`)
	p.click("phone-code")
	p.shows(".step .label", "/wxa/business/getuserphonenumber")
	p.click("vip")
	p.shows("#toast", "200")
}

// forgedHeader sends another identity, which the upstream does not get.
func forgedHeader(p *page) {
	p.T.Helper()
	p.click("forge")
	p.click("orders")
	p.shows(".chip.removed", "X-WX-OPENID: mallory")
	p.shows("#detail .removed", "mallory")
	p.shows("#detail .replaced", "alice")
	pasted(p, "200 ")
	p.Picture("forged")
	if *updatePicture {
		writePictures(p)
	}
	p.click("forge")
	p.Run(`document.getElementById("path").value = "/orders/7"`)
	p.click("call")
	p.shows(".act h3", "alice calls /orders/7")
	p.shows("#toast", "200")
}

// revocation ends the session of an open WebSocket in the table.
func revocation(p *page) {
	p.T.Helper()
	p.click("websocket")
	p.click("events")
	p.shows("#websocket-note", "messages")
	p.shows("#events-note", "messages")
	p.shows("#sessions td", "alice")
	p.clickOn("#sessions tbody button")
	p.shows("#websocket-note", "Closed by wxgate")
	p.shows("#events-note", "Closed by wxgate")
	p.shows("#sessions-empty", "No one is logged in.")
	p.click("orders")
	p.shows("#toast", "401 session_revoked")
	p.click("rotate")
	p.Wait(`document.querySelectorAll("#keys li").length === 2`)
}

// armedFault has WeChat fail.
func armedFault(p *page) {
	p.T.Helper()
	p.click("fault-busy")
	p.click("fault-reset")
	p.shows(".act h3", "WeChat goes wrong: Connection reset")
	p.shows("#armed:not([hidden]) #armed-text", "Busy, Connection reset")
	p.click("login")
	p.shows("#toast", "503 wechat_")
	p.Picture("armed")
	p.click("disarm")
	p.shows(".act h3", "Fault switched off: Connection reset")
	p.Wait(`document.getElementById("armed").hidden && !document.querySelector("#faults :checked")`)
	p.click("login")
	p.shows("#toast", "200")
	pasted(p, "200 ")
}

// pasted runs the command that the page shows; the gateway's response begins with a status.
func pasted(p *page, status string) {
	p.T.Helper()
	shell := exec.CommandContext(p.T.Context(), "bash", "-c", chromium.Value[string](p.Tab, `document.getElementById("curl").textContent`))
	shell.Env = append(os.Environ(), "NO_PROXY=*")
	if said, err := shell.CombinedOutput(); err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 "+status) {
		p.T.Errorf("%s\nprinted (%v)\n%s", shell.Args[2], err, said)
	}
}

// keyboard chooses an arrow with the keyboard alone: the Tab key stops at the one that was
// chosen last, and the arrow keys lead to the others.
func keyboard(p *page) {
	p.T.Helper()
	p.Wait(`document.querySelectorAll('.step[tabindex="0"]').length === 1`)
	p.Run(`document.getElementById("scroll").focus()`)
	chromium.Do(p.Tab, chromedp.KeyEvent(kb.Tab))
	p.Wait(`document.activeElement.matches(".step") && document.activeElement !== document.querySelector(".step")`)
	chromium.Do(p.Tab, chromedp.KeyEvent(kb.ArrowUp+kb.Home+kb.Enter))
	p.Wait(`document.activeElement.matches(".step[aria-current]") && document.activeElement === document.querySelector(".step")`)
	chromium.Do(p.Tab, chromedp.KeyEvent(kb.Tab))
	p.Wait(`document.activeElement.closest("#detail, #shell") !== null`)
}

// attackOf fires attacks of two kinds.
func attackOf(p *page) {
	p.T.Helper()
	p.shows("#corpus strong", "upper")
	p.clickOn(`#corpus [data-attack="identity/upper"]`)
	p.shows("#verdict .pill", "blocked")
	p.shows("#attack pre", "X-WX-OPENID")
	p.Wait(`(document.getElementById("mechanism").value = "token", document.getElementById("mechanism").dispatchEvent(new Event("change")), true)`)
	p.Wait(`document.querySelector("#corpus button")?.dataset.attack.startsWith("token/")`)
	p.clickOn(`#corpus button`)
	p.shows("#attack pre", "401 Unauthorized")
	p.shows("#attack pre", "Nothing.")
	p.shows(".act h3", "Attack: token/")
	p.shows("#attack pre", "telnet://")
}

// looks shows the page in both languages, both themes and three widths.
func looks(p *page, axe string) {
	p.T.Helper()
	p.looks(axe, "", 900, func(string) {})
	p.Theme("light")
	p.click("theme")
	p.Wait(`getComputedStyle(document.body).backgroundColor === "rgb(14, 17, 21)"`)
	chromium.Do(p.Tab, chromedp.Reload())
	p.Wait(`document.documentElement.dataset.theme === "dark" && document.documentElement.lang === "en" && document.getElementById("tour").hidden`)
	p.Wait(`/ (to|of) (Tea|Book)/.test(diagram.textContent) && !diagram.textContent.includes("app0")`)
}

// writePictures writes the pictures of the docs: a login and a forged call, in both languages.
func writePictures(p *page) {
	p.T.Helper()
	p.click("logout")
	p.shows("#person-note", "Not logged in")
	p.click("clear")
	p.click("login")
	p.shows(".act h3", "logs in")
	p.click("orders")
	p.shows(".chip.removed", "X-WX-OPENID: mallory")
	p.shows("#detail .replaced", "alice")
	p.Resize(1280)
	p.Run(`document.activeElement.blur(), scrollTo({top: 0, behavior: "instant"})`)
	writePicture(p, filepath.Join(moduleRoot, "docs", "playground.png"))
	p.click("language")
	p.shows("#h-phone", "手机")
	p.Run(`document.activeElement.blur()`)
	writePicture(p, filepath.Join(moduleRoot, "docs", "zh", "playground.png"))
	p.click("language")
	p.Resize(1600)
}

// writePicture writes the visible part of the page with 256 colors, as small as PNG can be.
func writePicture(p *page, file string) {
	p.T.Helper()
	shown, err := png.Decode(bytes.NewReader(chromium.Do(p.Tab, chromedp.CaptureScreenshot())))
	if err != nil {
		p.T.Fatal(err)
	}
	small := image.NewPaletted(shown.Bounds(), commonColors(shown))
	draw.Draw(small, small.Bounds(), shown, shown.Bounds().Min, draw.Src)
	var text bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&text, small); err != nil {
		p.T.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		p.T.Fatal(err)
	}
}

// commonColors returns the most frequent colors of a picture. The page has few; the rest are
// the edges of letters.
func commonColors(m image.Image) color.Palette {
	const most = 256
	counts := map[color.Color]int{}
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			counts[m.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	return colors[:min(most, len(colors))]
}
