package page_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// ownScan is an operator's scan page.
const ownScan = `<!DOCTYPE html><html lang="{{.Lang}}"><title>Own</title>{{template "logo.html" .}}
<style nonce="{{.Nonce}}">{{style}} h1 {color: red}</style>
<main id=wxgate data-api="{{.API}}"><img id="wxgate-image" alt="code"><b id='wxgate-number'></b>
<p id = "wxgate-status" role="status" data-waiting="Own waiting"></p><button id="wxgate-again">Again</button>
<a id="wxgate-return" href="{{.Return}}">Back</a></main>
<script nonce="{{.Nonce}}">{{script}}</script></html>`

// TestOwnTemplates: a page of the folder replaces the built-in page.
func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, "scan.html", ownScan)
	write(t, folder, "logo.html", `<img alt="Logo" src="{{image "logo.svg"}}">`)
	write(t, folder, "logo.svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`)
	write(t, folder, "notes.txt", `{{broken`)
	p := newPages(t, page.Theme{Accent: "#123456"}, folder)
	w := get(t, "zh", scanOf(p, scan))
	for _, want := range []string{
		`<html lang="zh-CN"><title>Own`, `src="data:image/svg&#43;xml;base64,PHN2Zy`, "--wxgate-accent: #123456", "h1 {color: red}",
		`data-api="/v1.0/pub/web/scan"`, "location.replace", `href="/after?x=1"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page has no %q:\n%s", want, w.Body)
		}
	}
	if !nonceInPolicy.MatchString(w.Header().Get("Content-Security-Policy")) {
		t.Errorf("headers %v", w.Header())
	}
	if body := get(t, "", continueOf(p, asking)).Body.String(); !strings.Contains(body, "Continue as Alice?") {
		t.Errorf("not the built-in page:\n%s", body)
	}
}

// TestBrokenTemplates: a template that cannot work is refused by New, and the error contains
// the file and the position.
func TestBrokenTemplates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ file, text, want string }{
		{"scan.html", `{{.API`, `scan.html:1: unclosed action`},
		{"continue.html", "\n{{.Nothing}}", `continue.html:2:2: executing "continue.html" at <.Nothing>: can't evaluate field Nothing`},
		{"error.html", `{{with .Retry}}{{.Nothing}}{{end}}`, `can't evaluate field Nothing`}, // fails with only one of the samples
		{"error.html", `{{unknown}}`, `function "unknown" not defined`},
		{"error.html", `<a href={{.Retry}}`, `ends in a non-text context`},
		{"error.html", `{{template "none.html"}}`, `no such template "none.html"`},
		{"error.html", `{{image "none.png"}}`, `no image "none.png" in the folder`},
		{"error.html", "<style>p {}</style>", `error.html: <style> needs nonce="{{.Nonce}}": browsers ignore it without`},
		{"error.html", `<SCRIPT type="module">1</SCRIPT>`, `error.html: <SCRIPT> needs nonce`},
		{"scan.html", strings.Replace(ownScan, `{{template "logo.html" .}}`, `<style>`, 1), `scan.html: <style> needs nonce`},
		{"scan.html", strings.Replace(strings.Replace(ownScan, `{{template "logo.html" .}}`, "", 1), "wxgate-image", "image", 1), `scan.html: {{script}} needs an element with id="wxgate-image"`},
		{"scan.html", strings.Replace(strings.Replace(ownScan, `{{template "logo.html" .}}`, "", 1), "id=wxgate ", "", 1), `scan.html: {{script}} needs an element with id="wxgate"`},
		{"scan.html", strings.Repeat("x", 128<<10+1), `larger than 128 KiB`},
		{"layout.html", `{{if}}`, `layout.html`}, // not a page, but templates may use it
		{"scan.htm", "", `no file *.html; expected scan.html, continue.html or error.html`},
	} {
		folder := t.TempDir()
		write(t, folder, test.file, test.text)
		if test.file == "layout.html" {
			write(t, folder, "error.html", "")
		}
		_, err := page.New(page.Theme{}, folder)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %.60q: %v, want %s", test.file, test.text, err, test.want)
			continue
		}
		if test.file != "scan.htm" && !strings.HasPrefix(err.Error(), filepath.Join(folder, test.file)+": ") {
			t.Errorf("%s %.60q: %v does not begin with the file name", test.file, test.text, err)
		}
	}
	if _, err := page.New(page.Theme{}, filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}
