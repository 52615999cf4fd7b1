package simweb_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// refreshed calls refresh_token for the official account.
func refreshed(t *testing.T, srv *simserver.Server, appid, token string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, http.MethodGet, simtest.Query(srv.URL+simweb.RefreshPath, "appid", appid, "grant_type", "refresh_token", "refresh_token", token), "")
}

// valid calls auth.
func valid(t *testing.T, srv *simserver.Server, token, openid string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, http.MethodGet, simtest.Query(srv.URL+simweb.AuthPath, "access_token", token, "openid", openid), "")
}

// TestRefresh prolongs an access_token, and replaces it once it expired.
func TestRefresh(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	simtest.WantCode(t, valid(t, srv, first.AccessToken, first.OpenID), 0)
	srv.Sim.Advance(time.Hour)
	longer := refreshed(t, srv, simtest.OfficialApp.ID, first.Refresh)
	if longer.AccessToken != first.AccessToken || longer.Refresh != first.Refresh || longer.OpenID != first.OpenID || longer.ExpiresIn != 7200 || longer.UnionID != "" {
		t.Errorf("%+v, want %+v without a unionid", longer, first)
	}
	srv.Sim.Advance(90 * time.Minute)
	simtest.WantCode(t, valid(t, srv, first.AccessToken, first.OpenID), 0)
	srv.Sim.Advance(90 * time.Minute)
	simtest.WantCode(t, valid(t, srv, first.AccessToken, first.OpenID), 42001)
	second := refreshed(t, srv, simtest.OfficialApp.ID, first.Refresh)
	if second.AccessToken == first.AccessToken {
		t.Error("the expired access_token is returned again")
	}
	if info := userInfo(t, srv, second.AccessToken, first.OpenID); info.OpenID != first.OpenID {
		t.Errorf("%+v", info)
	}
	srv.Sim.Advance(30 * 24 * time.Hour)
	simtest.WantCode(t, refreshed(t, srv, simtest.OfficialApp.ID, first.Refresh), 40030)
}

// TestRefreshRefuses names what is wrong.
func TestRefreshRefuses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first := exchange(t, srv, simtest.OfficialApp, mint(t, srv, simtest.OfficialApp, "alice", simweb.Login{}))
	simtest.WantCode(t, refreshed(t, srv, simtest.OfficialApp.ID, "none"), 40030)
	simtest.WantCode(t, refreshed(t, srv, simtest.WebsiteApp.ID, first.Refresh), 40030) // another app's
	simtest.WantCode(t, refreshed(t, srv, "", first.Refresh), 41002)
	simtest.WantCode(t, refreshed(t, srv, simtest.Apps[0].ID, first.Refresh), 40013) // a mini program
	simtest.WantCode(t, simtest.Call(t, http.MethodGet, simtest.Query(srv.URL+simweb.RefreshPath, "appid", simtest.OfficialApp.ID, "refresh_token", first.Refresh), ""), 40002)
	simtest.WantCode(t, valid(t, srv, first.AccessToken, "oOTHER"), 40003)
	simtest.WantCode(t, valid(t, srv, "none", first.OpenID), 40001)
	simtest.WantCode(t, valid(t, srv, "", first.OpenID), 41001)
}
