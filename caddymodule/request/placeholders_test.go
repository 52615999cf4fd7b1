package request

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
)

const all = "{wxgate.openid}|{wxgate.unionid}|{wxgate.appid}|{wxgate.source}|{wxgate.session}|{wxgate.phone}|{wxgate.risk}|{wxgate.app_version}|{wxgate.app_env}|{http.auth.user.id}"

var (
	alice = &auth.Identity{User: auth.User{App: "wx1", OpenID: "alice"}, UnionID: "u1", Session: "s1", Phone: "+861", Risk: 1, Pseudonym: "p1"}
	bob   = &auth.Identity{User: auth.User{App: "wx2", OpenID: "{env.HOME}"}, Session: "s2", Pseudonym: "p2"}
)

// TestPlaceholders sets identities one after the other: the last one counts, whether the values of
// the one before were mapped or set.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	const ofAlice, ofBob, none = "alice|u1|wx1|wx_client|s1|+861|0|12|release|p1", "{env.HOME}||wx2|wx_client|s2|||||p2", "|||||||||"
	for name, test := range map[string]struct {
		ids  []*auth.Identity
		name *auth.Identity // the user of a refused request
		want string
	}{
		"one identity":           {[]*auth.Identity{alice}, nil, ofAlice},
		"not expanded":           {[]*auth.Identity{bob}, nil, ofBob},
		"no identity":            {[]*auth.Identity{nil}, nil, none},
		"replaced":               {[]*auth.Identity{alice, bob}, nil, ofBob},
		"removed":                {[]*auth.Identity{alice, nil}, nil, none},
		"removed, then again":    {[]*auth.Identity{alice, nil, alice}, nil, ofAlice},
		"none, then an identity": {[]*auth.Identity{nil, alice}, nil, ofAlice},
		"refused":                {[]*auth.Identity{nil}, alice, "|||||||||p1"},
		"passed, then refused":   {[]*auth.Identity{alice, nil}, bob, "|||||||||p2"},
	} {
		for _, vars := range []map[string]any{nil, {}} {
			t.Run(name, func(t *testing.T) {
				repl := caddy.NewReplacer()
				ctx := context.WithValue(t.Context(), caddy.ReplacerCtxKey, repl)
				if vars != nil {
					ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{})
				}
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				r.Header.Set("Referer", "https://servicewechat.com/wx1/12/page-frame.html") // of alice's app
				for _, id := range test.ids {
					setIdentity(r, id)
				}
				if test.name != nil {
					nameUser(r, test.name)
				}
				if got := repl.ReplaceKnown(all, ""); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		}
	}
}
