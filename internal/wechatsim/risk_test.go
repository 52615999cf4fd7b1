package wechatsim_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

const riskPath = "/wxa/getuserriskrank"

// askRank calls getuserriskrank with a token.
func askRank(t *testing.T, srv *simserver.Server, token, body string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, "POST", simtest.Query(srv.URL+riskPath, "access_token", token), body)
}

// TestRiskRefusals has the codes of the page that a request can cause.
func TestRiskRefusals(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
	for _, add := range []wechatsim.User{{App: simtest.Apps[1].ID, OpenID: "other"}, {OpenID: "away"}} {
		if err := srv.Sim.AddUser(add, wechatsim.Details{}); err != nil {
			t.Fatal(err)
		}
	}
	const app = `{"appid":"wxaaaaaaaaaaaaaaaa"`
	for name, tt := range map[string]struct {
		token, body string
		want        int
	}{
		"right":              {token, app + `,"openid":"alice","scene":0,"client_ip":"192.0.2.1"}`, 0},
		"all members":        {token, app + `,"openid":"alice","scene":2,"client_ip":"2001:db8::1","mobile_no":"1","is_test":true}`, 0},
		"token missing":      {"", app + `}`, 41001},
		"token invented":     {"x", app + `}`, 40001},
		"no body":            {token, ``, 44002},
		"a form":             {token, `openid=alice`, 47001},
		"no appid":           {token, `{"openid":"alice","scene":0,"client_ip":"192.0.2.1"}`, 47001},
		"no openid":          {token, app + `,"scene":0,"client_ip":"192.0.2.1"}`, 47001},
		"no scene":           {token, app + `,"openid":"alice","client_ip":"192.0.2.1"}`, 47001},
		"no address":         {token, app + `,"openid":"alice","scene":0}`, 47001},
		"address of no kind": {token, app + `,"openid":"alice","scene":0,"client_ip":"host"}`, 47001},
		"scene 3":            {token, app + `,"openid":"alice","scene":3,"client_ip":"192.0.2.1"}`, 40129},
		"scene below 0":      {token, app + `,"openid":"alice","scene":-1,"client_ip":"192.0.2.1"}`, 40129},
		"another app":        {token, `{"appid":"wxbbbbbbbbbbbbbbbb","openid":"alice","scene":0,"client_ip":"192.0.2.1"}`, 43104},
		"another app's user": {token, app + `,"openid":"other","scene":0,"client_ip":"192.0.2.1"}`, 43104},
		"nobody":             {token, app + `,"openid":"nobody","scene":0,"client_ip":"192.0.2.1"}`, 40003},
		"never seen":         {token, app + `,"openid":"away","scene":0,"client_ip":"192.0.2.1"}`, 61010},
	} {
		t.Run(name, func(t *testing.T) { simtest.WantCode(t, askRank(t, srv, tt.token, tt.body), tt.want) })
	}
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.Query(srv.URL+riskPath, "access_token", token), ""), 43002)
	srv.Sim.Advance(2*time.Hour - time.Minute)
	right := app + `,"openid":"alice","scene":0,"client_ip":"192.0.2.1"}`
	simtest.WantCode(t, askRank(t, srv, simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken, right), 0)
	srv.Sim.Advance(2 * time.Minute)
	simtest.WantCode(t, askRank(t, srv, simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken, right), 61010)
}

// TestRiskRank: the rank is that of the user, and the response has the documented members.
func TestRiskRank(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
	ids := map[int]bool{}
	for rank := range 5 {
		if err := srv.Sim.SetRiskRank(simtest.Alice, rank); err != nil {
			t.Fatal(err)
		}
		resp, body := simtest.Send(t, "POST", simtest.Query(srv.URL+riskPath, "access_token", token),
			`{"appid":"wxaaaaaaaaaaaaaaaa","openid":"alice","scene":1,"client_ip":"192.0.2.1"}`)
		var got struct {
			ErrCode *int   `json:"errcode"`
			ErrMsg  string `json:"errmsg"`
			Rank    int    `json:"risk_rank"`
			ID      int    `json:"unoin_id"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 || got.ErrCode == nil || got.Rank != rank || got.ErrMsg != "getuserriskrank succ" || ids[got.ID] {
			t.Errorf("rank %d: %d %s, %v", rank, resp.StatusCode, body, err)
		}
		ids[got.ID] = true
	}
	for _, bad := range []int{-1, 5} {
		if err := srv.Sim.SetRiskRank(simtest.Alice, bad); !errors.Is(err, wechatsim.ErrBadRank) {
			t.Errorf("rank %d: %v", bad, err)
		}
		if err := srv.Sim.AddUser(wechatsim.User{OpenID: "new"}, wechatsim.Details{RiskRank: bad}); !errors.Is(err, wechatsim.ErrBadRank) {
			t.Errorf("a user of rank %d: %v", bad, err)
		}
	}
}
