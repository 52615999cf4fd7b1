package caddymodule_test

import (
	"cmp"
	"strings"
)

// siteWith is the Caddyfile of most tests, with additions. Its text is a template with the
// variables of [fixture.caddyfile].
type siteWith struct {
	global  string // global options
	wxgate  string // options of the global wxgate block
	apps    string // replaces the app
	store   string // default: bolt, in a file
	handler string // options of the site's wxgate
	routes  string // directives of the site, before reverse_proxy
	sites   string // replaces the site
}

// site is the Caddyfile without additions.
var site = siteWith{}.String()

// theApp is the app of most tests.
const theApp = `app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}`

// String implements fmt.Stringer.
func (s siteWith) String() string {
	sites := cmp.Or(s.sites, `http://{{.Addr}} {
	`+block("wxgate", s.handler)+`
	`+s.routes+`
	reverse_proxy {{.Upstream}}
}`)
	return `{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	` + s.global + `
	wxgate {
		` + cmp.Or(s.apps, theApp) + `
		store ` + cmp.Or(s.store, "bolt {{.Dir}}/wxgate.db") + `
		` + s.wxgate + `
	}
}
` + strings.TrimPrefix(sites, "\n") + "\n"
}

// block is a directive with its options, in a block if there are any.
func block(directive, options string) string {
	if options == "" {
		return directive
	}
	return directive + " {\n\t\t" + options + "\n\t}"
}

// logTo is a global option that logs to the file "log" from a level on.
func logTo(level string) string {
	return "log {\n\t\toutput file {{.Dir}}/log\n\t\tlevel " + level + "\n\t}"
}
