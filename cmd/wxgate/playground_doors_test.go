package main

import (
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wxgate/wxgate/internal/chromium"
)

// doorsOf logs one person in at all four doors of the web, and out everywhere.
func doorsOf(p *page) {
	p.T.Helper()
	for _, door := range []string{"official", "website"} {
		p.click("go-" + door)
		p.shows("#pill-"+door, "asks the user")
		p.click("go-" + door)
		p.shows("#pill-"+door, "logged in")
		p.shows("#view-"+door+" .fields", "X-Wx-Unionid: union-alice")
		p.shows("#detail .removed", "wxgate=•••")
	}
	pasted(p, "302 ")
	p.click("go-webview")
	p.shows("#pill-webview", "logged in")
	p.shows(".step .label", "/v1.0/pub/web/enter?ticket=")
	scanOf(p)
	p.Wait(`new Set([...document.querySelectorAll("#person-doors li")].map(e => e.dataset.door)).size === 5`)
	p.Wait(`!document.body.textContent.includes("wxc_")`)
	p.Picture("doors")
	p.click("end-person")
	p.shows("#person-none", "Not logged in anywhere.")
	p.Wait(`document.getElementById("end-person").disabled && !document.getElementById("person-none").hidden`)
	for _, door := range []string{"official", "website", "webview", "scan"} {
		p.shows("#pill-"+door, "session ended")
	}
	p.click("orders")
	p.shows("#toast", "401 session_revoked")
	// What is open now is what the pictures show.
	p.click("go-website")
	p.shows("#pill-website", "asks the user")
	p.click("go-scan")
	p.shows("#pill-scan", "waits for a phone")
	p.click("login")
	p.shows("#toast", "200")
	p.click("scan")
	p.shows("#asker", "Chrome on Windows at 127.0.0.* wants to log in as you.")
	p.click("go-official")
	p.shows("#pill-official", "asks the user")
	p.click("go-official")
	p.shows("#pill-official", "logged in")
}

// scanOf has the phone scan the code of a PC, and types its number with the keyboard: a wrong
// one first.
func scanOf(p *page) {
	p.T.Helper()
	p.click("go-scan")
	p.shows("#pill-scan", "waits for a phone")
	p.Wait(`document.querySelector("#view-scan img").naturalWidth > 0`)
	number := chromium.Value[string](p.Tab, `document.querySelector("#view-scan strong").textContent`)
	p.click("go-scan")
	p.shows("#pill-scan", "scanned")
	p.Wait(`document.activeElement.id === "number"`)
	chromium.Do(p.Tab, chromedp.KeyEvent("wxyz"+kb.Enter))
	p.shows("#toast", "400 wrong_number")
	p.Run(`document.getElementById("number").select()`)
	chromium.Do(p.Tab, chromedp.KeyEvent(number+kb.Enter))
	p.shows("#pill-scan", "logged in")
	p.shows("#view-scan .fields", "X-Wx-Openid: alice")
}
