package wechatsim_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	a := simtest.Apps[0]
	const grant = "authorization_code"
	for _, tt := range []struct {
		name   string
		method string
		pairs  func(code string) []string
		want   int
	}{
		{"appid missing", "GET", func(c string) []string { return []string{"secret", a.Secret, "js_code", c, "grant_type", grant} }, 41002},
		{"appid unknown", "GET", func(c string) []string {
			return []string{"appid", "wx0", "secret", a.Secret, "js_code", c, "grant_type", grant}
		}, 40013},
		{"secret missing", "GET", func(c string) []string { return []string{"appid", a.ID, "js_code", c, "grant_type", grant} }, 41004},
		{"secret of another app", "GET", func(c string) []string {
			return []string{"appid", a.ID, "secret", simtest.Apps[1].Secret, "js_code", c, "grant_type", grant}
		}, 40125},
		{"grant_type missing", "GET", func(c string) []string { return []string{"appid", a.ID, "secret", a.Secret, "js_code", c} }, 40002},
		{"grant_type wrong", "GET", func(c string) []string {
			return []string{"appid", a.ID, "secret", a.Secret, "js_code", c, "grant_type", "client_credential"}
		}, 40002},
		{"code missing", "GET", func(string) []string { return []string{"appid", a.ID, "secret", a.Secret, "grant_type", grant} }, 41008},
		{"code invented", "GET", func(string) []string {
			return []string{"appid", a.ID, "secret", a.Secret, "js_code", "x", "grant_type", grant}
		}, 40029},
		{"code of another app", "GET", func(c string) []string {
			return []string{"appid", simtest.Apps[1].ID, "secret", simtest.Apps[1].Secret, "js_code", c, "grant_type", grant}
		}, 40029},
		{"not GET", "POST", func(c string) []string {
			return []string{"appid", a.ID, "secret", a.Secret, "js_code", c, "grant_type", grant}
		}, 43001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := simtest.Start(t)
			code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
			r := simtest.Call(t, tt.method, simtest.Query(srv.URL+"/sns/jscode2session", tt.pairs(code)...), "")
			simtest.WantCode(t, r, tt.want)
			if !strings.HasSuffix(r.ErrMsg, " ]") || !strings.Contains(r.ErrMsg, ", hints: [ req_id: ") {
				t.Errorf("errmsg = %q, want it to end in hints", r.ErrMsg)
			}
			// A refusal spends nothing.
			simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, a, code), ""), 0)
		})
	}
}

func TestLoginCodeIsSingleUse(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 0)
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40163)
}

func TestLoginCodeIsSingleUseUnderConcurrency(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	target := simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{}))
	var ok, used atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch simtest.Call(t, "GET", target, "").ErrCode {
			case 0:
				ok.Add(1)
			case 40163:
				used.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || used.Load() != 15 {
		t.Errorf("%d logins and %d refusals, want 1 and 15", ok.Load(), used.Load())
	}
}

func TestLoginCodeExpires(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	young, old := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{}), simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	srv.Sim.Advance(5*time.Minute - time.Second)
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], young), ""), 0)
	srv.Sim.Advance(time.Second)
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], old), ""), 40029)
}

func TestCodesAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 0)
	srv.Sim.Advance(30 * time.Minute)
	simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40163)
	srv.Sim.Advance(time.Hour)
	simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40029)
}

func TestLoginRefusesPhoneCode(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	code, err := srv.Sim.MintPhoneCode(simtest.Alice, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code.Code), ""), 40029)
}

func TestLoginRefusesHighRiskUser(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	if err := srv.Sim.SetHighRisk(simtest.Alice, true); err != nil {
		t.Fatal(err)
	}
	code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40226)
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 40163)
	if err := srv.Sim.SetHighRisk(simtest.Alice, false); err != nil {
		t.Fatal(err)
	}
	simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
}

func TestLoginAnswersUnionIDOnlyWhenThereIsOne(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	_, body := simtest.Send(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), "")
	if strings.Contains(body, "unionid") || strings.Contains(body, "errcode") {
		t.Errorf("body = %s, want neither unionid nor errcode", body)
	}
	if got := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{UnionID: "u1"}).UnionID; got != "u1" {
		t.Errorf("unionid = %q, want u1", got)
	}
	if got := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).UnionID; got != "u1" {
		t.Errorf("unionid at the next login = %q, want u1", got)
	}
}

func TestSessionKeyChangesAtEveryLogin(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	first, second := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}), simtest.Login(t, srv, simtest.Alice, wechatsim.Login{})
	if first.SessionKey == second.SessionKey {
		t.Error("two logins have one session_key")
	}
	if raw, err := base64.StdEncoding.DecodeString(second.SessionKey); err != nil || len(raw) != 16 {
		t.Errorf("session_key = %q, want base64 of 16 bytes", second.SessionKey)
	}
	const fixed = "tiihtNczf5v6AKRyjwEUhQ=="
	if got := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{SessionKey: fixed}).SessionKey; got != fixed {
		t.Errorf("session_key = %q, want the fixed one", got)
	}
	if got := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey; got == fixed {
		t.Error("a fixed session_key outlived the next login")
	}
}

func TestAnswersEscapeSlashes(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	const key = "/////////////////////w=="
	_, body := simtest.Send(t, http.MethodGet, simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{SessionKey: key})), "")
	if !strings.Contains(body, `\/\/\/`) {
		t.Errorf("body = %s, want slashes escaped as the live service does", body)
	}
}
