// Package page has the pages that a browser sees while a user signs in: the scan page, "Continue
// as ...?" and errors. Each is one HTML document that requests nothing from another host.
package page

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/wxgate/wxgate/internal/problem"
)

// The file names of the pages.
const (
	scanFile     = "scan.html"
	continueFile = "continue.html"
	errorFile    = "error.html"
)

// Pages are the pages of a site, ready to be served. They are safe for concurrent use.
type Pages struct {
	templates map[string]*template.Template // by file name
}

// New prepares the pages. folder may have the operator's templates, named scan.html,
// continue.html and error.html. The built-in page is used if the template is missing, or if
// folder is "". Errors name the file that is wrong.
func New(theme Theme, folder string) (*Pages, error) {
	style, err := theme.style()
	if err != nil {
		return nil, err
	}
	templates, err := load(style, folder)
	if err != nil {
		return nil, err
	}
	return &Pages{templates}, nil
}

// Scan serves the page that shows the code to scan and the number to type.
func (p *Pages) Scan(w http.ResponseWriter, r *http.Request, s Scan) error {
	return p.serve(w, r, scanFile, http.StatusOK, response{}, func(page Page) any { return scanData{page, s} })
}

// Continue serves the page that asks whether to sign in with a ticket.
func (p *Pages) Continue(w http.ResponseWriter, r *http.Request, c Continue) error {
	// A form that is posted from a page with no-referrer has "Origin: null", which the check
	// against cross-site request forgery refuses. With strict-origin the browser sends the
	// origin, but never the full URL of this page, which contains the ticket.
	sent := response{referrer: "strict-origin", formTarget: c.Return}
	return p.serve(w, r, continueFile, http.StatusOK, sent, func(page Page) any { return continueData{page, c} })
}

// Error serves a page with an error, with the error's status.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, e Error) error {
	if e.Status < http.StatusBadRequest || e.Status > maxStatus {
		e.Status = http.StatusInternalServerError
	}
	return p.serve(w, r, errorFile, e.Status, response{}, func(page Page) any { return errorData{page, e} })
}

const maxStatus = 599

// response has the headers that differ between the pages.
type response struct {
	referrer   string // the policy; "" for no-referrer
	formTarget string // where the response to the page's form redirects to
}

// serve writes a page. It writes nothing if the template fails.
func (p *Pages) serve(w http.ResponseWriter, r *http.Request, file string, status int, sent response, data func(Page) any) error {
	page := newPage(problem.PrefersChinese(r))
	var body bytes.Buffer
	if err := p.templates[file].Execute(&body, data(page)); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Lang)
	h.Add("Vary", "Accept-Language")
	h.Set("Content-Security-Policy", policy(page.Nonce, sent.formTarget))
	h.Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors (clickjacking)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the URL may contain a ticket or a code (leaks to other sites)
	if sent.referrer != "" {
		h.Set("Referrer-Policy", sent.referrer)
	}
	w.WriteHeader(status)
	_, err := body.WriteTo(w)
	return err
}

// newPage returns the data of every template, with a new nonce.
func newPage(chinese bool) Page {
	const nonceBytes = 16
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // never fails
	page := Page{Lang: "en", Nonce: base64.RawURLEncoding.EncodeToString(nonce), Text: english}
	if chinese {
		page.Lang, page.Text = "zh-CN", inChinese
	}
	return page
}

// policy is the Content-Security-Policy of a page: only the script and the style with the nonce
// of this response are used, the page sends requests only to its own origin, and no other page
// can frame it (cross-site scripting, clickjacking).
func policy(nonce, formTarget string) string {
	return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce + "'; img-src data:; connect-src 'self'; " +
		"form-action 'self'" + otherOrigin(formTarget) + "; frame-ancestors 'none'; base-uri 'none'"
}

// sourceHost matches a host that a policy can contain unchanged.
var sourceHost = regexp.MustCompile(`^[a-zA-Z0-9.-]+(:[0-9]+)?$`)

// otherOrigin returns the origin of an absolute URL, after a space. Chromium applies form-action to
// the redirect after a form as well. Hosts with other characters are left out: they could add
// a directive (policy injection).
func otherOrigin(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !sourceHost.MatchString(u.Host) {
		return ""
	}
	return " " + u.Scheme + "://" + strings.ToLower(u.Host)
}
