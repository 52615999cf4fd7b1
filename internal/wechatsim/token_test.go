package wechatsim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func tokenURL(srv *simserver.Server) string {
	return simtest.Query(srv.URL+"/cgi-bin/token",
		"grant_type", "client_credential", "appid", simtest.Apps[0].ID, "secret", simtest.Apps[0].Secret)
}

// plainToken calls /cgi-bin/token.
func plainToken(t *testing.T, srv *simserver.Server) string {
	t.Helper()
	r := simtest.Call(t, "GET", tokenURL(srv), "")
	simtest.WantCode(t, r, 0)
	if r.ExpiresIn != 7200 {
		t.Errorf("expires_in = %d, want 7200", r.ExpiresIn)
	}
	return r.AccessToken
}

const good = 87007

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	a := simtest.Apps[0]
	srv := simtest.Start(t)
	for _, tt := range []struct {
		name, method string
		pairs        []string
		want         int
	}{
		{"appid missing", "GET", []string{"grant_type", "client_credential", "secret", a.Secret}, 41002},
		{"appid unknown, grant_type missing", "GET", []string{"appid", "wx0"}, 40013},
		{"secret missing", "GET", []string{"grant_type", "client_credential", "appid", a.ID}, 41004},
		{"secret wrong", "GET", []string{"grant_type", "client_credential", "appid", a.ID, "secret", "x"}, 40125},
		{"grant_type wrong", "GET", []string{"grant_type", "authorization_code", "appid", a.ID, "secret", a.Secret}, 40002},
		{"not GET", "POST", []string{"grant_type", "client_credential", "appid", a.ID, "secret", a.Secret}, 43001},
	} {
		simtest.WantCode(t, simtest.Call(t, tt.method, simtest.Query(srv.URL+"/cgi-bin/token", tt.pairs...), ""), tt.want)
	}
}

func TestTokenOutlivesItsSuccessorByFiveMinutes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	old := plainToken(t, srv)
	fresh := plainToken(t, srv)
	if old == fresh {
		t.Fatal("two calls, one token")
	}
	srv.Sim.Advance(5*time.Minute - time.Second)
	if got := simtest.TokenCode(t, srv, old); got != good {
		t.Errorf("old token within the overlap = %d, want it to work", got)
	}
	srv.Sim.Advance(time.Second)
	if got := simtest.TokenCode(t, srv, old); got != 40001 {
		t.Errorf("old token after the overlap = %d, want 40001", got)
	}
	if got := simtest.TokenCode(t, srv, fresh); got != good {
		t.Errorf("new token = %d, want it to work", got)
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	tok := plainToken(t, srv)
	for token, want := range map[string]int{"": 41001, "invented": 40001, tok: good} {
		if got := simtest.TokenCode(t, srv, token); got != want {
			t.Errorf("token %q = %d, want %d", token, got, want)
		}
	}
	srv.Sim.Advance(7200 * time.Second)
	if got := simtest.TokenCode(t, srv, tok); got != 42001 {
		t.Errorf("token after two hours = %d, want 42001", got)
	}
}

func TestStableTokenRefusals(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	a := simtest.Apps[0]
	for _, tt := range []struct {
		name, method, body string
		want               int
	}{
		{"GET", "GET", "", 43002},
		{"empty", "POST", "", 44002},
		{"form", "POST", "grant_type=client_credential&appid=" + a.ID + "&secret=" + a.Secret, 47001},
		{"array", "POST", "[]", 47001},
		{"null", "POST", "null", 47001},
		{"two values", "POST", "{}{}", 47001},
		{"force_refresh a string", "POST", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":"true"}`, a.ID, a.Secret), 47001},
		{"names in capitals", "POST", fmt.Sprintf(`{"grant_type":"client_credential","AppID":%q,"secret":%q}`, a.ID, a.Secret), 41002},
		{"appid missing", "POST", `{"grant_type":"client_credential"}`, 41002},
		{"appid unknown", "POST", `{"grant_type":"client_credential","appid":"wx0","secret":"x"}`, 40013},
		{"secret missing", "POST", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q}`, a.ID), 41004},
		{"secret wrong", "POST", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":"x"}`, a.ID), 40125},
		{"grant_type missing", "POST", fmt.Sprintf(`{"appid":%q,"secret":%q}`, a.ID, a.Secret), 40002},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simtest.WantCode(t, simtest.Call(t, tt.method, srv.URL+"/cgi-bin/stable_token", tt.body), tt.want)
		})
	}
}

func TestStableTokenIsTheSameForEverybody(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first := simtest.StableToken(t, srv, simtest.Apps[0], false)
	if first.ExpiresIn != 7200 {
		t.Errorf("expires_in = %d, want 7200", first.ExpiresIn)
	}
	srv.Sim.Advance(7200*time.Second - 301*time.Second)
	again := simtest.StableToken(t, srv, simtest.Apps[0], false)
	if again.AccessToken != first.AccessToken || again.ExpiresIn != 301 {
		t.Errorf("= %.12s… for %d s, want the same token for 301 s", again.AccessToken, again.ExpiresIn)
	}
	srv.Sim.Advance(time.Second)
	renewed := simtest.StableToken(t, srv, simtest.Apps[0], false)
	if renewed.AccessToken == first.AccessToken || renewed.ExpiresIn != 7200 {
		t.Error("five minutes before the end: not renewed")
	}
	if got := simtest.TokenCode(t, srv, first.AccessToken); got != good {
		t.Errorf("renewed token = %d, want it to live out its five minutes", got)
	}
	if other := simtest.StableToken(t, srv, simtest.Apps[1], false); other.AccessToken == renewed.AccessToken {
		t.Error("two apps, one token")
	}
}

func TestStableTokenForceRefreshRevokesAtOnce(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first := simtest.StableToken(t, srv, simtest.Apps[0], false)
	forced := simtest.StableToken(t, srv, simtest.Apps[0], true)
	simtest.WantCode(t, forced, 0)
	if got := simtest.TokenCode(t, srv, first.AccessToken); got != 40001 {
		t.Errorf("token before force_refresh = %d, want 40001", got)
	}
	if got := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken; got != forced.AccessToken {
		t.Error("normal mode does not return the forced token")
	}
}

func TestStableTokenForceRefreshIsRationed(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], true), 0)
	srv.Sim.Advance(29 * time.Second)
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], true), 45011)
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[1], true), 0) // another app's ration
	srv.Sim.Advance(time.Second)
	for i := 2; i <= 20; i++ {
		simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], true), 0)
		srv.Sim.Advance(30 * time.Second)
	}
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], true), 45009)
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], false), 0)
	srv.Sim.Advance(12 * time.Hour) // past midnight in Beijing
	simtest.WantCode(t, simtest.StableToken(t, srv, simtest.Apps[0], true), 0)
}

func TestStableTokenIsIsolatedFromToken(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	plain := plainToken(t, srv)
	stable := simtest.StableToken(t, srv, simtest.Apps[0], true).AccessToken
	if got := simtest.TokenCode(t, srv, plain); got != good {
		t.Errorf("plain token after force_refresh = %d, want it to work", got)
	}
	plainToken(t, srv)
	plainToken(t, srv)
	srv.Sim.Advance(6 * time.Minute)
	if got := simtest.TokenCode(t, srv, stable); got != good {
		t.Errorf("stable token after /cgi-bin/token = %d, want it to work", got)
	}
}

func TestExpireTokens(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	plain, stable := plainToken(t, srv), simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	srv.Sim.ExpireTokens()
	for _, token := range []string{plain, stable} {
		if got := simtest.TokenCode(t, srv, token); got != 42001 {
			t.Errorf("expired token = %d, want 42001", got)
		}
	}
	fresh := simtest.StableToken(t, srv, simtest.Apps[0], false) // without force
	if got := simtest.TokenCode(t, srv, fresh.AccessToken); got != good || fresh.AccessToken == stable {
		t.Errorf("stable_token after expiry = %d, want a new one that works", got)
	}
}
