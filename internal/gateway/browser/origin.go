package browser

import (
	"fmt"
	"net/http"

	"github.com/wxgate/wxgate/internal/auth"
)

// CheckOrigin refuses a request that changes something, or opens a WebSocket, unless a page of
// this site sent it. Browsers attach cookies by themselves, so that any page could otherwise
// act for the user (CSRF, cross-site WebSocket hijacking). SameSite=Lax does not stop pages of
// sibling hosts, and some browsers relax it for two minutes after a login.
//
// A proxy that calls wxgate_verify may omit Upgrade, which is a hop-by-hop header. It does not
// omit the other headers that a browser sends to open a WebSocket (RFC 6455 section 4.1).
//
// All browsers, also old ones, send Origin with such requests. Origins that CORS allows are
// refused too: CORS is for tokens, which browsers don't attach by themselves.
func (s *Site) CheckOrigin(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if r.Header["Upgrade"] == nil && r.Header["Sec-Websocket-Version"] == nil {
			return nil
		}
	}
	return s.sameOrigin(r.Header)
}

// sameOrigin refuses a request unless a page of this site sent it.
func (s *Site) sameOrigin(header http.Header) error {
	origins, sites := header["Origin"], header["Sec-Fetch-Site"]
	switch {
	case len(origins) == 1 && origins[0] == s.origin:
		return nil
	case len(origins) > 0:
		return fmt.Errorf("%w: its Origin is not %s", auth.ErrCrossSite, s.origin)
	case len(sites) == 1 && sites[0] == "same-origin":
		return nil
	}
	return fmt.Errorf("%w: it has neither Origin nor Sec-Fetch-Site: same-origin", auth.ErrCrossSite)
}

// Navigates reports whether a request opens a page in a browser, so that a redirect to the
// login would be shown to the user.
func Navigates(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// checkDocument refuses to log a browser in unless the user opens the page. It refuses images
// and frames of other pages, and prefetches of pages that the user may visit later.
func checkDocument(r *http.Request) error {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return fmt.Errorf("%w: its destination is %q, not a document", auth.ErrCrossSite, dest)
	}
	for _, mark := range prefetchMarks {
		if r.Header[mark] != nil {
			return fmt.Errorf("%w: it fetches a page that the user has not visited", auth.ErrCrossSite)
		}
	}
	return nil
}

// prefetchMarks are the headers of prefetches, in current and in older browsers.
var prefetchMarks = []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"}

// sentByPage reports whether a page of another origin sent the browser to a document. A
// web-view opens its first page without such a page. This stops an attacker's page that sends
// its visitors, who may be in the same network and have the same phone model, to the link of
// the attacker's ticket.
func sentByPage(header http.Header) bool {
	switch header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return true
}
