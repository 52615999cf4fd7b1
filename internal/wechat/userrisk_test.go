package wechat_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	riskPath = "/wxa/getuserriskrank"
	address  = "192.0.2.1"
	// goodRisk is the documented response, with another rank.
	goodRisk = `{"errcode":0,"errmsg":"getuserriskrank succ","risk_rank":3,"unoin_id":123456}`
)

// ranking returns a client of p, without a network, that asks for risks.
func ranking(t testing.TB, p *fakePlatform, cache time.Duration) *wechat.Client {
	t.Helper()
	return mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Risk: &wechat.RiskConfig{Scene: wechat.RiskMarketing, Cache: cache}})
}

// TestRiskRequest: the request has only the documented parameters, not is_test, so that WeChat
// counts it as a real request. The address has a canonical spelling.
func TestRiskRequest(t *testing.T) {
	t.Parallel()
	for given, sent := range map[string]string{
		address: address, "::ffff:" + address: address, "2001:DB8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
	} {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			want := fmt.Sprintf(`{"appid":%q,"openid":%q,"scene":1,"client_ip":%q}`, app, openid, sent)
			if err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "access_token="+token || string(body) != want {
				t.Errorf("got %s %s %s, %v; want %s", r.Method, r.URL, body, err, want)
			}
			respond(goodRisk)(w, r)
		})
		risk, err := ranking(t, p, 0).Risk(t.Context(), openid, given)
		wantErr(t, err, nil)
		if rank, known := risk.Rank(); rank != 3 || !known {
			t.Errorf("rank %d, %v", rank, known)
		}
	}
	p := newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, respond(goodRisk))
	for _, bad := range []string{"", "host", "192.0.2.1:80"} {
		risk, err := ranking(t, p, 0).Risk(t.Context(), openid, bad)
		if wantErr(t, err, auth.ErrAppMisconfigured); risk != 0 {
			t.Errorf("address %q: risk %s", bad, risk)
		}
	}
	wantCalls(t, p, riskPath, 0)
}

func TestRiskResponses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"errcode":0,"risk_rank":0}`:   nil,
		`{"risk_rank":4}`:               nil,
		`{"errcode":0,"risk_rank":5}`:   auth.ErrWeChatUnreadable,
		`{"errcode":0,"risk_rank":-1}`:  auth.ErrWeChatUnreadable,
		`{"errcode":0,"risk_rank":"1"}`: auth.ErrWeChatUnreadable,
		`{"errcode":0,"risk_rank":1.5}`: auth.ErrWeChatUnreadable,
		`{"errcode":0,"risk_rank":nil}`: auth.ErrWeChatUnreadable,
		`{"errcode":0,"errmsg":"ok"}`:   auth.ErrWeChatUnreadable,
		`{"errcode":-1}`:                auth.ErrWeChatBusy,
		`{"errcode":40003}`:             auth.ErrAppMisconfigured,
		`{"errcode":40129}`:             auth.ErrAppMisconfigured,
		`{"errcode":43104}`:             auth.ErrAppMisconfigured,
		`{"errcode":47001}`:             auth.ErrAppMisconfigured,
		`{"errcode":48001}`:             auth.ErrAppMisconfigured,
		`{"errcode":61007}`:             auth.ErrAppMisconfigured,
		`{"errcode":61010}`:             auth.ErrWeChatUnreadable,
		`{"errcode":61080}`:             auth.ErrWeChatBusy,
		`{"errcode":61081}`:             auth.ErrWeChatBusy,
		`{"errcode":9410009,"errmsg":"no quota for ` + string(openid) + `, SECRETtoken-1"}`: auth.ErrAppMisconfigured,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, respond(body))
			risk, err := ranking(t, p, time.Hour).Risk(t.Context(), openid, address)
			if wantErr(t, err, want); (risk != 0) != (want == nil) || err != nil && strings.Contains(err.Error(), string(openid)) {
				t.Errorf("risk %s, %v", risk, err)
			}
		})
	}
}

// TestRiskIsOff: without the option, WeChat is not called. The option is refused on platforms
// that do not rank users.
func TestRiskIsOff(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, respond(goodRisk))
	risk, err := direct(t, p).Risk(t.Context(), openid, address)
	if wantErr(t, err, nil); risk != 0 {
		t.Errorf("risk %s", risk)
	}
	wantCalls(t, p, riskPath, 0)
	for name, cfg := range map[string]wechat.Config{
		"component": {Component: &wechat.Component{AppID: "wxc", TokenURL: "http://127.0.0.1:1"}},
		"QQ":        {Platform: wechat.QQ, Secret: secret},
	} {
		cfg.AppID, cfg.Risk = app, new(wechat.RiskConfig)
		if _, err := wechat.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantErr(t, err, auth.ErrAppMisconfigured)
		}
	}
}

// TestRiskCache: a rank is cached for its user, for a limited time. A failure is not cached.
func TestRiskCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).
			on(riskPath, respond(`{"errcode":61080}`), respond(goodRisk), respond(`{"errcode":0,"risk_rank":1}`))
		client := ranking(t, p, 10*time.Minute)
		for _, step := range []struct {
			after  time.Duration
			openid auth.OpenID
			calls  int
			risk   string
		}{
			{0, openid, 1, "unknown"},
			{0, openid, 2, "3"},
			{10*time.Minute - 1, openid, 2, "3"},
			{0, "another", 3, "1"},
			{1, openid, 4, "1"},
		} {
			time.Sleep(step.after)
			risk, _ := client.Risk(t.Context(), step.openid, address)
			if risk.String() != step.risk {
				t.Errorf("after %v: risk %s of %s, want %s", step.after, risk, step.openid, step.risk)
			}
			wantCalls(t, p, riskPath, step.calls)
		}
		uncached := ranking(t, p, 0)
		for range 2 {
			_, err := uncached.Risk(t.Context(), openid, address)
			wantErr(t, err, nil)
		}
		wantCalls(t, p, riskPath, 6)
	})
}

// TestRiskIsShared: simultaneous logins of a user share a call, which continues if the first
// caller leaves. Another user's login makes a separate call.
func TestRiskIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			respond(goodRisk)(w, r)
		})
		client := ranking(t, p, 0)
		leaving, leave := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := client.Risk(leaving, openid, address)
			first <- err
		}()
		synctest.Wait()
		var group sync.WaitGroup
		for _, who := range []auth.OpenID{openid, openid, "another"} {
			group.Go(func() {
				if risk, err := client.Risk(t.Context(), who, address); err != nil || risk.String() != "3" {
					t.Errorf("risk %s, %v", risk, err)
				}
			})
		}
		synctest.Wait()
		leave()
		wantErr(t, <-first, auth.ErrWeChatTimeout)
		group.Wait()
		wantCalls(t, p, riskPath, 2)
	})
}

// TestRiskTime: a login does not wait longer than riskTime, whichever call hangs.
func TestRiskTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		platform *fakePlatform
		want     time.Duration
	}{
		"rank":  {newPlatform().on(tokenPath, respond(goodToken)).on(riskPath, hangs), 2 * time.Second},
		"token": {newPlatform().on(tokenPath, hangs), 3 * time.Second},
		"renewal": {newPlatform().on(tokenPath, respond(goodToken), hangs).on(riskPath, respond(`{"errcode":40001}`)),
			3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				_, err := ranking(t, row.platform, 0).Risk(t.Context(), openid, address)
				wantErr(t, err, auth.ErrWeChatTimeout)
				if took := time.Since(started); took != row.want {
					t.Errorf("gave up after %v, want %v", took, row.want)
				}
			})
		})
	}
}

// TestRiskBreaker: while ranks are down, logins succeed, and after some failures don't wait for
// a rank.
func TestRiskBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(loginPath, respond(goodLogin)).on(riskPath, hangs)
		client := ranking(t, p, 0)
		for range 10 {
			_, err := client.Risk(t.Context(), openid, address)
			wantErr(t, err, auth.ErrWeChatTimeout)
		}
		started := time.Now()
		_, err := client.Risk(t.Context(), openid, address)
		wantErr(t, err, auth.ErrWeChatUnreachable)
		if took := time.Since(started); took != 0 {
			t.Errorf("a login waited %v for ranks that are down", took)
		}
		wantCalls(t, p, riskPath, 10)
		_, err = client.Exchange(t.Context(), code)
		wantErr(t, err, nil)
		if state := client.Breaker(); state != "closed" {
			t.Errorf("the breaker of logins is %s", state)
		}
	})
}

// FuzzRisk: whatever WeChat responds, the result is a rank or an error without secrets.
func FuzzRisk(f *testing.F) {
	for _, seed := range []string{goodRisk, `{"errcode":"61080"}`, `{"risk_rank":5}`, `[]`, ``, "{\"risk_rank\":\x00\"4\"}"} {
		f.Add([]byte(seed))
	}
	p := newPlatform().on(tokenPath, respond(goodToken))
	client := ranking(f, p, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		p.on(riskPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
		risk, err := client.Risk(t.Context(), openid, address)
		if rank, known := risk.Rank(); known != (err == nil) || rank > auth.MaxRiskRank {
			t.Errorf("risk %s, %v", risk, err)
		}
		if err != nil {
			wantErr(t, err, err)
		}
	})
}
