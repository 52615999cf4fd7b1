package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// The attack user's token and the address of the echo, for the weakened gateways.
var weakToken, weakUpstream atomic.Value

// honestHeader marks a login that a weakened login API must not tamper with.
const honestHeader = "X-Honest"

// weakGate is wxgate with one defense disabled.
func weakGate(mechanism string) string {
	return "weak_before " + mechanism + "\n" + attackGate + "\nweak_after " + mechanism + "\n"
}

// expectMarks makes Caddy accept header names with underscores and dots, which it drops
// by default. Caddy then drops the same names with hyphens instead.
const expectMarks = `
	servers {
		expected_underscore_headers x_wx* x__wx* _x* X-WX_* X-WX-OPENID_ X-WX-UNIONID_ X-WX-ANYTHING-NEW_ X_WX.OPENID X_WX.UNIONID X_WX.ANYTHING.NEW
		expected_dot_headers x.wx* X_WX.OPENID X_WX.UNIONID X_WX.ANYTHING.NEW
	}
`

// TestAttackCorpusIsRed proves that every check of the corpus can fail: on a wxgate with
// one defense disabled, the attacks on that defense succeed, and none is inconclusive.
// Attacks that Caddy's parsers refuse before wxgate sees them succeed on a naive gateway
// without a parser.
func TestAttackCorpusIsRed(t *testing.T) {
	red := map[string]bool{}
	for _, m := range corpus.Mechanisms() {
		if m.Name == "smuggle" {
			continue // Caddy's parsers are the defense; the naive gateway has none
		}
		t.Run(m.Name, func(t *testing.T) {
			a := newAttacked(t, weakGate(m.Name), "")
			if a.weaken(); m.Name == "token" || m.Name == "oracle" {
				a.target.Token = "" // log in: these attacks also need a refresh token and a handle
			}
			a.expectRed(red, only(m.Name))
		})
	}
	t.Run("identity-with-marks", func(t *testing.T) {
		a := newAttacked(t, weakGate("identity"), expectMarks)
		a.weaken()
		a.expectRed(red, only("identity"))
	})
	t.Run("naive", func(t *testing.T) {
		a := newAttacked(t, attackGate, "")
		a.weaken()
		gateway := &naive{token: a.target.Token, echo: a.echo.Addr}
		frames := gateway.serveFrames(t)
		a.target.URL = "http://" + gateway.serve(t)
		a.expectRed(red, only("identity", "removal", "upgrade", "path", "policy", "smuggle"), wire.H1)
		a.target.URL = "https://" + frames
		a.expectRed(red, only("identity", "removal", "upgrade", "path", "policy", "smuggle"), wire.H2, wire.H3)
	})
	var target corpus.Target
	target.Defaults()
	for _, x := range corpus.Corpus(&target) {
		if !red[x.ID] {
			t.Errorf("%s succeeds on no weakened gateway: %s", x.ID, x.Request.String())
		}
	}
}

func only(mechanisms ...string) func(*corpus.Attack) bool {
	return func(a *corpus.Attack) bool {
		return slices.Contains(mechanisms, a.Mechanism.Name)
	}
}

// expectRed runs attacks, and records in red which succeeded. None may be inconclusive.
func (a *attacked) expectRed(red map[string]bool, which func(*corpus.Attack) bool, protocols ...wire.Protocol) {
	a.t.Helper()
	verdicts := map[attack.Verdict]int{}
	for _, f := range a.run(which, protocols...) {
		verdicts[f.Verdict]++
		red[f.ID] = red[f.ID] || f.Verdict == attack.Succeeded
		if f.Verdict == attack.Inconclusive {
			a.t.Errorf("%s over %s: %s", f.ID, f.Protocol, f.Reason)
		}
	}
	a.t.Logf("%v", verdicts)
}

// weaken passes the attack user's token and the address of the echo to the weakened gateway.
func (a *attacked) weaken() {
	a.t.Helper()
	a.target.Token = a.honestToken()
	weakToken.Store(a.target.Token)
	weakUpstream.Store(a.echo.Addr)
}

// honestToken logs the attack user in through a weakened login API.
func (a *attacked) honestToken() string {
	a.t.Helper()
	login := a.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, a.code("mallory")), honestHeader, "1")
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(login.body), &granted); err != nil || strings.Count(granted.Token, ".") != 2 {
		a.t.Fatalf("no token: %s", login.body)
	}
	return granted.Token
}
