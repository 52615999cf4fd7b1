package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestSimPage uses the controls of `wxgate sim` in a real browser.
func TestSimPage(t *testing.T) {
	axe := axeScript(t)
	sim, api, controls := startSim(t)
	p := openPage(t, controls+"/")
	p.Resize(1600)
	p.shows("#api", api)
	p.shows("#users h3", "carol")
	p.Accessible(axe, "at first")
	p.Picture("sim-empty")

	code := loginOf(p, api)
	p.press("alice", "Encrypted phone")
	p.shows("#last-result", "encrypted_data")
	p.press("bob", "High risk")
	p.Wait(`document.querySelectorAll("#users [aria-pressed=true]").length === 1`)
	p.shows("#last-curl pre", `"high_risk":true`)
	p.press("bob", "Next risk rank")
	p.shows("#last-curl pre", `"risk_rank":1`)

	// What the page shows of a request is the line of curl that makes it again.
	p.shows("#requests summary", "/sns/jscode2session")
	p.clickOn("#requests summary")
	p.shows("#requests pre", code)
	if said := bash(t, p.line("#requests pre")); !strings.Contains(said, "40163") {
		t.Errorf("the curl line of the request returns %s, want 40163: the code was used", said)
	}
	strangeTexts(p, api)
	armFault(p, api)
	pushText(p)
	webLogins(p, api)
	p.Accessible(axe, "at last")
	simLooks(p, axe)
	sim.interrupt()
	restarted(t, p, api, controls)
	p.Close()
}

// restarted: the page says that the simulator is down, and shows the users of the next one.
func restarted(t *testing.T, p *page, api, controls string) {
	t.Helper()
	p.shows("#lost:not([hidden])", "Start it again with: wxgate sim")
	p.press("alice", "Login code")
	p.shows("#last-result", "The simulator does not respond.")
	file := filepath.Join(t.TempDir(), "sim.json")
	const apps = `{"apps": [{"appid": "wx00000000000000aa", "secret": "00000000000000000000000000000001"}], "users": [{"user": "zed"}]}`
	if err := os.WriteFile(file, []byte(apps), 0o600); err != nil {
		t.Fatal(err)
	}
	next := startProcess(t, "", nil, "wxgate", "sim", "--config", file, "--api", strings.TrimPrefix(api, "http://"), "--management", strings.TrimPrefix(controls, "http://"))
	next.waitFor("grant_type=authorization_code")
	p.Wait(`document.getElementById("lost").hidden && [...document.querySelectorAll("#users h3")].map(e => e.textContent).join() === "zed"`)
	p.shows("#apps", "wx00000000000000aa")
	p.leave()
	p.Forgive("ERR_CONNECTION_REFUSED")
	next.interrupt()
}

// loginOf makes a login code of alice, logs in with it as an SDK does, and returns the code. The
// page then shows the session_key without being asked.
func loginOf(p *page, api string) string {
	p.T.Helper()
	p.Wait(`[...document.querySelectorAll("#users button")].some(b => b.disabled && b.textContent === "Encrypted phone")`)
	p.press("alice", "Login code")
	p.shows("#last-name", "alice Login code: The call succeeded.")
	code := p.line("#last-result")
	if again := bash(p.T, p.line("#last-curl pre")); len(again) != len(code) || again == code {
		p.T.Errorf("the curl line of a login code prints %q, the page shows %q", again, code)
	}
	p.send(api + "/sns/jscode2session?grant_type=authorization_code&appid=" + wechatsim.DefaultApp.ID + "&secret=" + wechatsim.DefaultApp.Secret + "&js_code=" + code)
	p.Wait(`document.querySelector("#users li").textContent.includes("==")`)
	return code
}

// strangeTexts has the page show what a client of the API, and a user of the page, may write: it
// stays text, and its curl line is one command.
func strangeTexts(p *page, api string) {
	p.T.Helper()
	const image = `<img src=x onerror=alert(1)>`
	strange := "/it's $(touch x)" + image + "#["
	p.send(api + (&url.URL{Path: strange}).EscapedPath())
	p.shows("#requests summary", strange)
	p.clickOn("#requests summary")
	p.Wait(`document.querySelector("#requests pre").textContent.includes("touch")`)
	if said := bash(p.T, p.line("#requests pre")); !strings.Contains(said, "40066") {
		p.T.Errorf("the curl line of a strange path returns %q, want the API's 40066", said)
	}
	chromium.Do(p.Tab, chromedp.SendKeys(chromedp.CSS("#new-user"), image))
	p.click("new-login")
	p.shows("#last-name", image)
	p.shows("#users h3", image)
	if n := chromium.Value[int](p.Tab, `document.querySelectorAll("img").length`); n != 0 {
		p.T.Errorf("the page has %d images", n)
	}
}

// armFault arms a fault that strikes once, and sees it strike.
func armFault(p *page, api string) {
	p.T.Helper()
	p.Run(`document.getElementById("kinds").value = "minute_quota"`)
	p.clickOn("#fault button:not([type])")
	p.shows("#armed", "minute_quota * (times left: 1)")
	p.send(api + "/cgi-bin/token")
	p.shows("#requests summary", "fault minute_quota")
	p.Wait(`!document.getElementById("no-faults").hidden`)
	before := chromium.Value[string](p.Tab, `document.getElementById("now").dateTime`)
	p.clickOn(`#advance [value="24h"]`)
	p.Wait(`new Date(document.getElementById("now").dateTime) - new Date(` + strconv.Quote(before) + `) >= 24 * 3600 * 1000`)
}

// pushText configures a server, pushes a text to it, and sees the reply that WeChat would refuse.
func pushText(p *page) {
	p.T.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.Query().Get("echostr"))
			return
		}
		_, _ = io.WriteString(w, "no reply")
	}))
	p.T.Cleanup(service.Close)
	chromium.Do(p.Tab, chromedp.SendKeys(chromedp.CSS("#target [name=url]"), service.URL))
	chromium.Do(p.Tab, chromedp.SendKeys(chromedp.CSS("#target [name=token]"), "token0123"))
	p.Run(`document.querySelector("#target [name=mode]").value = "plain"`)
	p.clickOn("#target button")
	p.shows("#last-result", `"status":200`)
	p.clickOn("#push button")
	p.shows("#pushed summary", "bad_reply (1)")
	p.Run(`document.querySelector("#pushed summary").focus()`)
	p.clickOn("#push button")
	p.Run(`document.querySelector("#pushed summary").focus()`)
	p.Wait(`document.querySelectorAll("#pushed summary").length === 2`)
	// The page looks at the simulator each second, and the focus stays.
	before := chromium.Value[string](p.Tab, `document.getElementById("now").dateTime`)
	p.Wait(`document.getElementById("now").dateTime !== ` + strconv.Quote(before))
	p.Wait(`document.activeElement.matches("#pushed summary")`)
}

// webLogins makes codes of an official account, and shows the code of a mini program.
func webLogins(p *page, api string) {
	p.T.Helper()
	official := wechatsim.WebApps()[0].ID
	p.Run(`const app = document.getElementById("app"); app.value = ` + strconv.Quote(official) + `; app.dispatchEvent(new Event("change"))`)
	p.Wait(`[...document.querySelectorAll("#users li:not([hidden])")].some(card => card.textContent.includes("爱丽丝"))`)
	p.press("alice", "Code of a snapshot user")
	p.shows("#last-curl pre", `"snapshot":true`)
	p.press("alice", "Web login code")
	p.shows("#last-name", "alice Web login code: The call succeeded.")

	made := bash(p.T, `token=$(curl -sS '`+api+`/cgi-bin/token?grant_type=client_credential&appid=`+wechatsim.DefaultApp.ID+`&secret=`+wechatsim.DefaultApp.Secret+`' | cut -d '"' -f 4)
curl -sS -o /dev/null -w '%{content_type}' "`+api+`/wxa/getwxacodeunlimit?access_token=$token" -d '{"scene": "a=1"}'`)
	if made != "image/jpeg" {
		p.T.Errorf("getwxacodeunlimit returns %s", made)
	}
	p.shows("#codes", "first page")
	p.shows("#codes", "scene=a=1")
}

// simLooks shows the page in both languages, both themes and three widths.
func simLooks(p *page, axe string) {
	p.T.Helper()
	p.looks(axe, "sim-", 800, func(theme string) { p.Wait(`document.documentElement.dataset.theme === ` + strconv.Quote(theme)) })
	// The first stop of the keyboard leads past the header.
	p.Run(`document.activeElement.blur()`)
	chromium.Do(p.Tab, chromedp.Reload())
	p.shows("#users h3", "alice")
	chromium.Do(p.Tab, chromedp.KeyEvent("\t"))
	p.Wait(`document.activeElement.className === "skip"`)
}

// press clicks on a button of a user.
func (p *page) press(user, button string) {
	p.T.Helper()
	p.shows("#users h3", user)
	p.Run(`[...document.querySelectorAll("#users li:not([hidden])")]
		.find(card => card.querySelector("h3").textContent === ` + strconv.Quote(user) + `)
		.querySelectorAll("button").forEach(b => { if (b.textContent === ` + strconv.Quote(button) + `) b.click() })`)
}

// line returns the text of the first element of a selector.
func (p *page) line(selector string) string {
	p.T.Helper()
	return chromium.Value[string](p.Tab, `document.querySelector(`+strconv.Quote(selector)+`).textContent`)
}

// send makes a request that the page does not make.
func (p *page) send(address string) {
	p.T.Helper()
	request, err := http.NewRequestWithContext(p.T.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.T.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		p.T.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		p.T.Fatal(err)
	}
}

// bash runs a line and returns what it printed.
func bash(t testing.TB, line string) string {
	t.Helper()
	command := exec.Command("bash", "-euc", line)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "NO_PROXY=*")
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, said)
	}
	if left, err := os.ReadDir(command.Dir); err != nil || len(left) != 0 {
		t.Errorf("%s left %v (%v)", line, left, err)
	}
	return string(said)
}
