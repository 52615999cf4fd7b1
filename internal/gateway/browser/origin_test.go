package browser

import (
	"errors"
	"net/http"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestCheckOrigin tests each method with each spelling of an origin: safe methods pass, and all
// others need exactly the origin of the site.
func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	senders := []struct {
		name    string
		headers []string
		ours    bool
	}{
		{"no headers", nil, false},
		{"the site", []string{"Origin", shop}, true},
		{"the site, with Sec-Fetch-Site", []string{"Origin", shop, "Sec-Fetch-Site", "same-origin"}, true},
		{"a browser that sends no Origin", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, false},
		{"another site, without Sec-Fetch-Site", []string{"Origin", "https://evil.example"}, false},
		{"a sibling host", []string{"Origin", "https://blog.example.com", "Sec-Fetch-Site", "same-site"}, false},
		{"a sibling host, only Sec-Fetch-Site", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"an allowed return", []string{"Origin", "https://m.example.com"}, false},
		{"a subdomain", []string{"Origin", "https://a.shop.example.com"}, false},
		{"a host with this prefix", []string{"Origin", shop + ".evil.example"}, false},
		{"a host with this suffix", []string{"Origin", "https://evilshop.example.com"}, false},
		{"http", []string{"Origin", "http://shop.example.com"}, false},
		{"another port", []string{"Origin", shop + ":8443"}, false},
		{"the default port", []string{"Origin", shop + ":443"}, false},
		{"in upper case", []string{"Origin", "https://SHOP.example.com"}, false},
		{"a trailing dot", []string{"Origin", shop + "."}, false},
		{"a trailing slash", []string{"Origin", shop + "/"}, false},
		{"a path", []string{"Origin", shop + "/a"}, false},
		{"userinfo", []string{"Origin", "https://shop.example.com@evil.example"}, false},
		{"only the host", []string{"Origin", "shop.example.com"}, false},
		{"a sandboxed frame", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, false},
		{"null, with Sec-Fetch-Site", []string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, false},
		{"an empty Origin", []string{"Origin", ""}, false},
		{"an empty Origin, with Sec-Fetch-Site", []string{"Origin", "", "Sec-Fetch-Site", "same-origin"}, false},
		{"two origins in two lines", []string{"Origin", shop, "Origin", "https://evil.example"}, false},
		{"duplicate", []string{"Origin", shop, "Origin", shop}, false},
		{"two origins in a line", []string{"Origin", shop + ", https://evil.example"}, false},
		{"two origins with a space", []string{"Origin", shop + " https://evil.example"}, false},
		{"typed by the user", []string{"Sec-Fetch-Site", "none"}, false},
		{"Sec-Fetch-Site twice", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, false},
		{"Sec-Fetch-Site in upper case", []string{"Sec-Fetch-Site", "Same-Origin"}, false},
		{"an empty Sec-Fetch-Site", []string{"Sec-Fetch-Site", ""}, false},
		{"a Referer", []string{"Referer", shop + "/"}, false},
		{"a Host", []string{"Host", "shop.example.com", "X-Forwarded-Host", "shop.example.com"}, false},
	}
	safe := map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "PROPFIND", "get", "Post", ""} {
		for _, upgrade := range [][]string{nil, {"Upgrade", "websocket"}, {"Upgrade", ""}, {"Upgrade", "h2c", "Connection", "Upgrade"}, {"Sec-Websocket-Version", "13"}} {
			for _, sender := range senders {
				r := request(http.MethodGet, "/orders", append(upgrade, sender.headers...)...)
				r.Method = method
				err := s.CheckOrigin(r)
				if pass := sender.ours || safe[method] && upgrade == nil; pass != (err == nil) || err != nil && !errors.Is(err, auth.ErrCrossSite) {
					t.Errorf("%q with %v, %s: %v", method, upgrade, sender.name, err)
				}
			}
		}
	}
}

func TestNavigates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"a visit":        {request("GET", "/", "Sec-Fetch-Mode", "navigate"), true},
		"a script":       {request("GET", "/", "Sec-Fetch-Mode", "cors"), false},
		"an old browser": {request("GET", "/", "Accept", "text/html"), false},
		"a form":         {request("POST", "/", "Sec-Fetch-Mode", "navigate"), false},
		"HEAD":           {request("HEAD", "/", "Sec-Fetch-Mode", "navigate"), false},
	} {
		if got := Navigates(test.r); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestCheckDocument: a request that the user does not see must not spend a ticket.
func TestCheckDocument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string
		want    error
	}{
		"a visit":                 {[]string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"}, nil},
		"an old browser":          {nil, nil},
		"a frame":                 {[]string{"Sec-Fetch-Dest", "iframe"}, auth.ErrCrossSite},
		"an old frame":            {[]string{"Sec-Fetch-Dest", "frame"}, auth.ErrCrossSite},
		"an object":               {[]string{"Sec-Fetch-Dest", "object"}, auth.ErrCrossSite},
		"a picture":               {[]string{"Sec-Fetch-Dest", "image"}, auth.ErrCrossSite},
		"a script":                {[]string{"Sec-Fetch-Dest", "empty"}, auth.ErrCrossSite},
		"a prefetch":              {[]string{"Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch"}, auth.ErrCrossSite},
		"a prerender":             {[]string{"Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch;prerender"}, auth.ErrCrossSite},
		"an older prefetch":       {[]string{"Purpose", "prefetch"}, auth.ErrCrossSite},
		"a prefetch of Firefox":   {[]string{"X-Moz", "prefetch"}, auth.ErrCrossSite},
		"a preview of Safari":     {[]string{"X-Purpose", "preview"}, auth.ErrCrossSite},
		"two destinations, first": {[]string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Dest", "document"}, auth.ErrCrossSite},
	} {
		if err := checkDocument(request("GET", "/", test.headers...)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestSentByPage: if another page links to a ticket, the user is asked first.
func TestSentByPage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string
		want    bool
	}{
		"a web-view":      {[]string{"Sec-Fetch-Site", "none"}, false},
		"an old browser":  {nil, false},
		"the site":        {[]string{"Sec-Fetch-Site", "same-origin"}, false},
		"a sibling host":  {[]string{"Sec-Fetch-Site", "same-site"}, true},
		"another site":    {[]string{"Sec-Fetch-Site", "cross-site"}, true},
		"unknown":         {[]string{"Sec-Fetch-Site", "friendly-site"}, true},
		"two, other last": {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Site", "none"}, true},
	} {
		if got := sentByPage(request("GET", "/", test.headers...).Header); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
