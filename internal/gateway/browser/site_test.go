package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://shop.example.com":        "https://shop.example.com",
		"https://shop.example.com/":       "https://shop.example.com",
		"HTTPS://Shop.Example.com":        "https://shop.example.com",
		"https://shop.example.com:443":    "https://shop.example.com",
		"https://shop.example.com:8443":   "https://shop.example.com:8443",
		"https://xn--fiq228c.example.com": "https://xn--fiq228c.example.com",
		"https://[2001:db8::1]:443":       "https://[2001:db8::1]",
		"http://127.0.0.1:8080":           "http://127.0.0.1:8080",
		"http://localhost:80":             "http://localhost",
		"http://[::1]:8080/":              "http://[::1]:8080",
		"http://127.8.8.8":                "http://127.8.8.8",

		"": "", "shop.example.com": "", "//shop.example.com": "", "https://": "", "https:///": "", "https:shop.example.com": "", "https://shop.example.com/a": "", "https://shop.example.com?a": "",
		"https://shop.example.com/#a": "", "https://user@shop.example.com": "", "https://*.example.com": "", "https://{host}": "", "http://shop.example.com": "", "http://10.0.0.1": "", "http://localhost.example.com": "",
		"http://127.0.0.1.example.com": "", "ftp://shop.example.com": "", "javascript:alert(1)": "", "https://shop example.com": "", "https://shop.example.com:": "", "https://商店.example.com": "", "https://%E5%95%86.example.com": "",
		"https://a,b": "", "https://a;b": "", `https://a"b`: "", "https://a'b": "", "https://a_b.example.com": "https://a_b.example.com",
	} {
		got, secure, err := ParseOrigin(text)
		if got != want || (err != nil) != (want == "") || secure != strings.HasPrefix(want, "https") {
			t.Errorf("%q: %q, secure: %t, %v, want %q", text, got, secure, err, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no url":         {func(c *Config) { c.URL = "" }, "url: "},
		"a return":       {func(c *Config) { c.Return = []string{"https://m.example.com/a"} }, "return: "},
		"a cookie":       {func(c *Config) { c.Cookie = "shop" }, "cookie: "},
		"tickets, alone": {func(c *Config) { c.Official, c.Website, c.Scan = Official{}, "", Scan{} }, ""},
	} {
		config := newSite(t, nil).config
		test.change(&config)
		if _, err := New(config); err == nil != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestDoors checks which door a browser is sent to, and which calls and apps a site has for its
// doors.
func TestDoors(t *testing.T) {
	t.Parallel()
	all := newSite(t, nil)
	scan := newSite(t, func(c *Config) { c.Official, c.Website, c.Ticket = Official{}, "", false })
	ticket := newSite(t, func(c *Config) { c.Official, c.Website, c.Scan = Official{}, "", Scan{} })
	base := newSite(t, func(c *Config) { c.Official.Base, c.Website, c.Scan = true, "", Scan{} })
	for _, test := range []struct {
		site     *Site
		name     string
		inWeChat bool
		want     auth.Door
		err      error
	}{
		{all, "", false, auth.DoorScan, nil},
		{all, "", true, auth.DoorOfficial, nil},
		{all, "website", true, auth.DoorWebsite, nil},
		{all, "official", false, auth.DoorOfficial, nil},
		{all, "scan", true, auth.DoorScan, nil},
		{all, "webview", false, 0, errDoor}, {all, "minted", false, 0, errDoor}, {all, "miniprogram", false, 0, errDoor}, {all, "Scan", false, 0, errDoor}, {all, "other", false, 0, errDoor},
		{scan, "", true, auth.DoorScan, nil},
		{scan, "official", true, 0, errDoor},
		{scan, "website", false, 0, errDoor},
		{ticket, "", true, 0, errNoDoor},
		{base, "", false, 0, errNoDoor},
	} {
		door, err := test.site.pick(test.name, test.inWeChat)
		if door != test.want || err != test.err { //nolint:errorlint // compares identities
			t.Errorf("%v, %q, in WeChat: %t: %v, %v", test.site.Apps(), test.name, test.inWeChat, door, err)
		}
	}
	for _, test := range []struct {
		site  *Site
		calls string
		apps  []auth.AppID
	}{
		{all, "login logout callback ticket enter scan scan/", []auth.AppID{"wx4", "wx5", "wx1"}},
		{scan, "login logout scan scan/", []auth.AppID{"wx1"}},
		{ticket, "login logout ticket enter", nil},
		{base, "login logout callback ticket enter", []auth.AppID{"wx4"}},
	} {
		var calls []string
		for _, route := range test.site.Routes() {
			calls = append(calls, strings.TrimPrefix(route.Path, prefix+"/web/"))
		}
		if got := strings.Join(calls, " "); got != test.calls || !slices.Equal(test.site.Apps(), test.apps) {
			t.Errorf("calls %s, apps %v; want %s, %v", got, test.site.Apps(), test.calls, test.apps)
		}
	}
	if all.scope(auth.DoorOfficial) != "snsapi_userinfo" || base.scope(auth.DoorOfficial) != "snsapi_base" || all.scope(auth.DoorWebsite) != "snsapi_login" {
		t.Error("a door asks for another scope")
	}
	if all.otherDoor(shop+"/a?b&c") != "/v1.0/pub/web/login?return=https%3A%2F%2Fshop.example.com%2Fa%3Fb%26c&door=website" || scan.otherDoor(shop+"/") != "" {
		t.Errorf("the other door is %q", all.otherDoor(shop+"/a?b&c"))
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for path, want := range map[string]string{
		"/v1.0/pub/web/scan/": "/v1.0/pub/web/scan/", "/v1.0/pub/web/scan/abc/finish": "/v1.0/pub/web/scan/", "/v1.0/pub/web/scan": "", "/v1.0/pub/web/scans/a": "", "/": "", "/web/scan/a": "",
	} {
		if got := s.Folder(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if (*Site)(nil).Folder("/v1.0/pub/web/scan/a") != "" {
		t.Error("a site without browsers has a folder")
	}
}
