package browser

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/problem"
)

// TestTarget checks where a user may be sent after a login.
func TestTarget(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for text, want := range map[string]string{
		"":                                 shop + "/",
		"/":                                shop + "/",
		"/orders/1?a=b&c=%2F%2F#top":       shop + "/orders/1?a=b&c=%2F%2F#top",
		"/a//b":                            shop + "/a//b",
		"/%2F/evil.example":                shop + "/%2F/evil.example",
		"/%09/evil.example":                shop + "/%09/evil.example",
		"/%5Cevil.example":                 shop + "/%5Cevil.example",
		"/@evil.example":                   shop + "/@evil.example",
		"/;@evil.example":                  shop + "/;@evil.example",
		"/.evil.example":                   shop + "/.evil.example",
		"/http://evil.example":             shop + "/http://evil.example",
		"/?next=//evil.example":            shop + "/?next=//evil.example",
		"/..//evil.example":                shop + "/..//evil.example", // of the site: it is absolute
		"/v1.0/public":                     shop + "/v1.0/public",
		"/v1.0/pub/webs":                   shop + "/v1.0/pub/webs",
		shop:                               shop + "/",
		shop + "/":                         shop + "/",
		shop + "//evil.example":            shop + "//evil.example",
		"https://m.example.com":            "https://m.example.com/",
		"https://m.example.com/a?b":        "https://m.example.com/a?b",
		"https://pay.example.com:8443/a":   "https://pay.example.com:8443/a",
		"https://m.example.com/v1.0/pub/w": "https://m.example.com/v1.0/pub/w",
	} {
		if got, err := s.target(text); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range openRedirects {
		if got, err := s.target(text); !isProblem(err, errReturn) {
			t.Errorf("%q: %q, %v, want errReturn", text, got, err)
		}
	}
	for _, login := range []string{
		"/v1.0/pub/web", "/v1.0/pub/web/login", "/v1.0/pub/web/login?return=/a", "/v1.0/pub/web/enter?ticket=wxt_", shop + "/v1.0/pub/web/scan",
		"/a/../v1.0/pub/web/login", "/a/%2e%2e/v1.0/pub/web/enter?ticket=wxt_", "/v1.0/./pub/%2E/web/login", "/v1.0/pub/%77eb/login", "/v1.0//pub//web/login",
	} {
		if got, err := s.target(login); !isProblem(err, errReturn) {
			t.Errorf("%q: %q, %v, want errReturn: it is a call of the login", login, got, err)
		}
	}
	long := "/" + strings.Repeat("a", maxReturnBytes-1)
	if _, err := s.target(long); err != nil {
		t.Errorf("the longest return: %v", err)
	}
	if _, err := s.target(long + "a"); !isProblem(err, errLongReturn) {
		t.Errorf("a longer one: %v, want errLongReturn", err)
	}
}

// openRedirects are from the lists of OWASP, PortSwigger and PayloadsAllTheThings, and unusual
// spellings that the WHATWG URL standard accepts.
var openRedirects = []string{
	"//evil.example", "///evil.example", "////evil.example", "//evil.example/%2f..", "//evil.example@shop.example.com", "//shop.example.com@evil.example/",
	"/\\evil.example", "\\\\evil.example", "\\/evil.example", "/\\/evil.example", "\\/\\/evil.example", "/\\\\evil.example", "\\evil.example",
	"/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r\n/evil.example", "/\x00/evil.example", "\x01//evil.example", " //evil.example", " /a", "/a b", "/\x7f", "/\x0b/evil.example",
	"/a\r\nSet-Cookie: wxgate=1", "/\u00a0/evil.example", "/\u2028/evil.example", "\u3000//evil.example", "/／evil.example", "／／evil.example", "//evil。example", "/\xff", "/中",
	"https:evil.example", "https:/evil.example", "https:///evil.example", "http:evil.example", "https:\\\\evil.example", "HTTPS://evil.example", "hTTps:evil.example", "ht\ntps://evil.example",
	"https:/orders", "https:orders", "https:shop.example.com/", "https:/shop.example.com/", "https:///shop.example.com/", "://evil.example", ":/evil.example", ":evil.example",
	"http://shop.example.com/", "https://evil.example", "https://evil.example/", "https://evil.example/https://shop.example.com/", "https://evil.example?https://shop.example.com/", "https://evil.example#https://shop.example.com/",
	shop + "@evil.example", shop + "@evil.example/", shop + ":443@evil.example/", shop + ":pass@evil.example/", shop + "%40evil.example/", shop + "%2f@evil.example/", "https://user@shop.example.com/", "https://user:pass@shop.example.com/",
	shop + ".evil.example/", shop + "evil.example", shop + ".", shop + "./a", shop + ":443/", shop + ":0443/", shop + ":/", shop + ":8443/", shop + "\\@evil.example/", shop + "\\.evil.example/", shop + "#@evil.example/", shop + "?@evil.example/",
	shop + ";@evil.example/", shop + "&@evil.example/", shop + "%00.evil.example/", shop + "%E3%80%82evil.example/", shop + "?/", shop + "#/",
	"https://SHOP.example.com/", "HTTPS://shop.example.com/", "https://shop.example.com%2f/", "https://shop%2eexample.com/", "https://ｓhop.example.com/", "https://shop。example。com/", "https://xn--shop-.example.com/",
	"https://evil.example\\.shop.example.com/", "https://evil.example/@shop.example.com/", "https://evil.example%23@shop.example.com/", "https://[::1]/", "https://127.1/", "https://2130706433/", "https://0x7f.1/",
	"wss://shop.example.com/", "ftp://shop.example.com/", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "javascript://shop.example.com/%0aalert(1)", "data:text/html,<script>alert(1)</script>",
	"vbscript:x", "file:///etc/passwd", "blob:https://shop.example.com/x", "filesystem:https://shop.example.com/x", "about:blank", "view-source:https://shop.example.com/", "weixin://dl/chat",
	"orders", "./orders", "../orders", "?a", "#a", "@evil.example", ".evil.example", "%2F%2Fevil.example", "%2f/evil.example", "%5cevil.example", "%09//evil.example", "http%3A%2F%2Fevil.example", "%00/",
}

// whatwgOrigin returns the origin that the WHATWG URL parser reads in a URL with a special
// scheme, as far as that is possible without Unicode tables; "" for any other URL.
func whatwgOrigin(text string) string {
	text = strings.Trim(text, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, ok := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	port := map[string]string{"https": ":443", "http": ":80", "ws": ":80", "wss": ":443", "ftp": ":21"}[scheme]
	if !ok || port == "" {
		return ""
	}
	rest = strings.TrimLeft(rest, `/\`)
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host, err := url.PathUnescape(rest)
	if err != nil {
		return ""
	}
	return scheme + "://" + strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), port), ":")
}

// FuzzTarget: in every URL that target returns, Go and browsers read an allowed origin.
func FuzzTarget(f *testing.F) {
	s := newSite(f, nil)
	for _, text := range openRedirects {
		f.Add(text)
		f.Add("/" + text)
		f.Add(shop + text)
		f.Add(shop + "/" + text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := s.target(text)
		if err != nil {
			if p := problem.Of(err); p.Status != 400 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		u, err := url.Parse(to)
		if err != nil || u.User != nil || u.Opaque != "" {
			t.Fatalf("%q: %q is not the URL of a page: %v", text, to, err)
		}
		allowed := map[string]bool{shop: true, "https://m.example.com": true, "https://pay.example.com:8443": true}
		if asGo, asBrowser := u.Scheme+"://"+u.Host, whatwgOrigin(to); !allowed[asGo] || asBrowser != asGo {
			t.Errorf("%q: in %q, Go reads the origin %q, and a browser %q", text, to, asGo, asBrowser)
		}
		w := httptest.NewRecorder()
		if err := redirect(w, to); err != nil || w.Result().Header.Get("Location") != to || len(w.Result().Header["Location"]) != 1 {
			t.Errorf("%q: redirected to %q, %v", text, w.Result().Header["Location"], err)
		}
	})
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for back, want := range map[string]string{
		"/orders?a=1&return=//evil.example": "/orders?a=1&return=//evil.example", "//evil.example/a": "/", "/v1.0/pub/web/enter?ticket=wxt_a": "/", "": "", "https://evil.example/": "/",
	} {
		w := httptest.NewRecorder()
		if err := s.Redirect(w, back); err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != 303 || to.Path != "/v1.0/pub/web/login" || to.Host != "" || to.Query().Get("return") != want || len(to.Query()) != 1 {
			t.Errorf("%q: %d to %v, %v", back, w.Code, to, err)
		}
		if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%q: the headers are %v", back, h)
		}
	}
}
