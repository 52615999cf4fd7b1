package caddymodule_test

import (
	"strings"
	"testing"
)

// TestLoadWarnsOfLogs: a load warns if logs of other modules would contain identities or tokens,
// and only then.
func TestLoadWarnsOfLogs(t *testing.T) {
	const debug, query, header, wafer = "at level DEBUG handlers behind wxgate", `request>uri query { replace ticket REDACTED }`,
		`request>headers>X-Ticket delete`, "access logs show the tokens of Wafer clients"
	const php = "capture_stderr logs identity headers"
	for name, tc := range map[string]struct {
		level, access, site string
		want                []string
	}{
		"no access log":                {"INFO", "", "token_from query ticket", nil},
		"an access log":                {"INFO", "log", "", nil},
		"DEBUG":                        {"DEBUG", "", "", []string{debug}},
		"a token in the query":         {"INFO", "log", "token_from query ticket", []string{query}},
		"a token in a header":          {"INFO", "log", "token_from header x-ticket", []string{header}},
		"a token in Authorization":     {"INFO", "log", "token_from header authorization", nil},
		"a token in a cookie":          {"INFO", "log", "token_from cookie ticket", nil},
		"Wafer":                        {"INFO", "log", "compat wafer", []string{wafer}},
		"PHP":                          {"INFO", "", "}\nreverse_proxy /php 127.0.0.1:1 {\ntransport fastcgi", nil},
		"PHP's standard error":         {"INFO", "", "}\nreverse_proxy /php 127.0.0.1:1 {\ntransport fastcgi {\ncapture_stderr\n}", []string{php}},
		"everything, and all at DEBUG": {"DEBUG", "log", "compat wafer\ntoken_from query ticket", []string{debug, query, wafer}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStoppedFixture(t, simConfig(), siteWith{global: logTo(tc.level), handler: tc.site, routes: tc.access}.String())
			f.load()
			log := f.log()
			for _, warning := range []string{debug, query, header, wafer, php} {
				want := 0
				for _, w := range tc.want {
					if w == warning {
						want = 1
					}
				}
				if got := strings.Count(log, warning); got != want {
					t.Errorf("the log has %q %d times, want %d:\n%s", warning, got, want, log)
				}
			}
		})
	}
}
