package simweb

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A page is the choice of a user, or the reason why there is none.
type page struct {
	Nonce    string
	App      App
	Links    []link
	Snapshot template.URL // empty: not offered
	Refusal  *pageRefusal
}

// A link returns to the app as a user.
type link struct {
	Name string
	URL  template.URL
}

type pageRefusal struct {
	Code             int
	Chinese, English string
}

// choice is the page on which a user is picked. Its links are its own address with one more
// parameter.
func (w *Web) choice(app App, raw string) protocol.Response {
	p := page{App: app, Nonce: rand.Text()}
	address := "?" + raw
	for _, name := range w.accounts.Names() {
		p.Links = append(p.Links, link{Name: name, URL: template.URL(As(address, name))}) //nolint:gosec // G203: a query alone, which the template quotes
	}
	if app.Kind == Official {
		p.Snapshot = template.URL(address + "&snapshot=1") //nolint:gosec // G203: as above
	}
	return p.response(http.StatusOK, protocol.OK, 0)
}

// refusePage is the page that says why there is no login. The status is the simulator's choice.
func refusePage(why mistake) protocol.Response {
	status := http.StatusBadRequest
	if why == refusedPeer {
		status = http.StatusForbidden
	}
	p := page{Nonce: rand.Text(), Refusal: &pageRefusal{why.code, why.chinese, why.english}}
	return p.response(status, protocol.Error, why.code)
}

func (p page) response(status int, class protocol.Class, errcode int) protocol.Response {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, p); err != nil {
		return protocol.WeChat.Refuse(OfficialPath, protocol.ErrBusy) // a Buffer takes all
	}
	header := http.Header{
		// Nothing but the page's own style: its texts come from any client (cross-site scripting,
		// clickjacking).
		"Content-Security-Policy": {"default-src 'none'; style-src 'nonce-" + p.Nonce + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		"Referrer-Policy":         {"no-referrer"},
		"Cache-Control":           {"no-store"},
		"X-Content-Type-Options":  {"nosniff"},
	}
	return protocol.Response{
		Status: status, ContentType: "text/html; charset=utf-8", Header: header, Body: text.Bytes(), Class: class, ErrCode: errcode,
	}
}
