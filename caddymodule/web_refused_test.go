package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// TestWebRefused: invalid options of web are an error at load, before a user can log in.
func TestWebRefused(t *testing.T) {
	const official, website, other = "wx0000000000000004", "wx0000000000000005", "wx0000000000000006"
	f := newStoppedFixture(t, wechatsim.Config{}, "")
	t.Setenv("WXGATE_TEST_WEB_APP", "00000000000000000000000000000004")
	app := func(id, kind, api string) string {
		if api != "" {
			api = "\n\t\t\tapi " + api
		}
		return fmt.Sprintf("app %s {env.WXGATE_TEST_WEB_APP} {\n\t\t\tkind %s%s\n\t\t}\n\t\t", id, kind, api)
	}
	const here, evil = "{{.API}}", "https://evil.example.com"
	doors := "official " + official + "\n\t\t\twebsite " + website
	for name, test := range map[string]struct{ apps, web, want string }{
		"the same api":               {app(official, "official", here) + app(website, "website", here), doors, ""},
		"a slash at its end":         {app(official, "official", here) + app(website, "website", here+"/"), doors, ""},
		"a hostile official account": {app(official, "official", evil) + app(website, "website", here), doors, "(mix-up)"},
		"a hostile website":          {app(official, "official", here) + app(website, "website", evil), doors, "(mix-up)"},
		"WeChat's own and another":   {app(official, "official", "") + app(website, "website", evil), doors, "(mix-up)"},
		"another path":               {app(official, "official", here) + app(website, "website", here+"/x"), doors, "(mix-up)"},
		"a website as official":      {app(official, "website", here), "official " + official, "is not of kind official"},
		"an official as website":     {app(website, "official", here), "website " + website, "is not of kind website"},
		"a mini program as official": {"", "official " + firstApp, "is not of kind official"},
		"an official as scan":        {app(official, "official", here), "scan " + official, "is not a mini program on platform wechat"},
		"an unknown app":             {"", "official " + other, "is not configured"},
	} {
		config := strings.Replace(site, "store bolt", test.apps+"store bolt", 1)
		f.config = strings.Replace(config, "\twxgate\n", "\twxgate {\n\t\tweb {\n\t\t\turl http://{{.Addr}}\n\t\t\t"+test.web+"\n\t\t}\n\t}\n", 1)
		err := f.tryLoad()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}
