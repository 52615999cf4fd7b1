package caddymodule_test

import (
	"strings"
	"testing"
)

// TestUnreached: a handler that no request reaches is refused. Requests would pass unchecked,
// with the identity that the client claims.
func TestUnreached(t *testing.T) {
	l := newLoadTest(t)
	const proxy, ours, verify = `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:1"}]}`, `{"handler":"wxgate"}`, `{"handler":"wxgate_verify"}`
	const asks = `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:1"}],"handle_response":[{"match":{"status_code":[2]}}]}`
	const some = `{"match":[{"path":["/static/*"]}],"handle":[` + proxy + `]}`
	one := func(handlers ...string) string { return `{"handle":[` + strings.Join(handlers, ",") + `]}` }
	block := func(routes ...string) string {
		return one(`{"handler":"subroute","routes":[` + strings.Join(routes, ",") + `]}`)
	}
	for name, test := range map[string]struct {
		routes  string
		refused bool
	}{
		"before":                            {one(ours, proxy), false},
		"after":                             {one(proxy, ours), true},
		"verify after":                      {one(proxy, verify), true},
		"after, another route":              {one(proxy) + "," + one(ours), true},
		"after, in a block":                 {block(one(proxy), one(ours)), true},
		"after, in one of a block":          {block(one(proxy, ours)), true},
		"after some paths":                  {some + "," + one(ours, proxy), false},
		"after another block":               {block(one(proxy)) + "," + block(one(ours, proxy)), false},
		"after forward_auth":                {one(asks, ours, proxy), false},
		"after forward_auth, another route": {one(asks) + "," + one(ours, proxy), false},
		"twice":                             {`{"match":[{"path":["/a/*"]}],"handle":[` + ours + "," + proxy + `]},` + one(ours, proxy), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.validateJSON([]byte(`{"admin":{"disabled":true},"storage":{"module":"file_system","root":"` + l.dir + `/caddy"},"apps":{
				"wxgate":{"apps":[{"appid":"wx1111111111111111","secret":"{env.WXGATE_TEST_SECRET}"}],"store":{"kind":"memory"}},
				"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[` + test.routes + `]}}}}}`))
			if refused := err != nil && strings.Contains(err.Error(), "no request reaches it"); refused != test.refused || err != nil && !refused {
				t.Errorf("refused: %v, want %v: %v", refused, test.refused, err)
			}
		})
	}
}

// TestStartWithoutSite: the log warns of a configuration in which no site uses wxgate.
func TestStartWithoutSite(t *testing.T) {
	const warning = "no site uses wxgate, so no request is checked"
	for name, test := range map[string]struct {
		site  string
		warns bool
	}{
		"none":   {"respond ok", true},
		"wxgate": {"wxgate", false},
		"verify": {"wxgate_verify", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, siteWith{global: logTo("INFO"), sites: "http://{{.Addr}} {\n" + test.site + "\n}"}.String())
			if warned := strings.Contains(f.log(), warning); warned != test.warns {
				t.Errorf("warned: %v, want %v:\n%s", warned, test.warns, f.log())
			}
		})
	}
}
