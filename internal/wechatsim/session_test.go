package wechatsim_test

import (
	"errors"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// signed is a call of checksession or resetusersessionkey.
func signed(t *testing.T, srv *simserver.Server, path, token, openid, signature, method string) simtest.Reply {
	t.Helper()
	return simtest.Call(t, "GET", simtest.Query(srv.URL+path,
		"access_token", token, "openid", openid, "signature", signature, "sig_method", method), "")
}

func TestSignatureVector(t *testing.T) {
	t.Parallel()
	const want = "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735"
	if got := wechatsim.Signature("tiihtNczf5v6AKRyjwEUhQ=="); got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
}

func TestSignedCallsRefusals(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	other := simtest.StableToken(t, srv, simtest.Apps[1], false).AccessToken
	sig := wechatsim.Signature(simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey)
	const hmac = "hmac_sha256"
	for _, path := range []string{"/wxa/checksession", "/wxa/resetusersessionkey"} {
		for _, tt := range []struct {
			name, token, openid, sig, method string
			want                             int
		}{
			{"token missing", "", "alice", sig, hmac, 41001},
			{"token invented", "x", "alice", sig, hmac, 40001},
			{"openid missing", token, "", sig, hmac, 41009},
			{"user unknown", token, "bob", sig, hmac, 87007},
			{"user of another app", other, "alice", sig, hmac, 87007},
			{"sig_method wrong", token, "alice", sig, "sha256", 87008},
			{"sig_method missing", token, "alice", sig, "", 87008},
			{"signature wrong", token, "alice", wechatsim.Signature("x"), hmac, 87009},
			{"signature missing", token, "alice", "", hmac, 87009},
		} {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				simtest.WantCode(t, signed(t, srv, path, tt.token, tt.openid, tt.sig, tt.method), tt.want)
			})
		}
		simtest.WantCode(t, simtest.Call(t, "POST", srv.URL+path, "{}"), 43001)
	}
}

func TestSessionKeyLives(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	check := func(key string, want int) {
		t.Helper()
		simtest.WantCode(t, signed(t, srv, "/wxa/checksession", token, "alice", wechatsim.Signature(key), "hmac_sha256"), want)
	}
	first := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	check(first, 0)
	second := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	check(first, 87009)
	check(second, 0)

	reset := signed(t, srv, "/wxa/resetusersessionkey", token, "alice", wechatsim.Signature(second), "hmac_sha256")
	simtest.WantCode(t, reset, 0)
	if reset.OpenID != "alice" {
		t.Errorf("openid = %q, want alice", reset.OpenID)
	}
	check(second, 87009)
	check(reset.SessionKey, 0)

	rotated, err := srv.Sim.RotateSessionKey(simtest.Alice)
	if err != nil {
		t.Fatal(err)
	}
	check(reset.SessionKey, 87009)
	check(rotated, 0)
	if err := srv.Sim.DropSessionKey(simtest.Alice); err != nil {
		t.Fatal(err)
	}
	check(rotated, 87007)
	if _, err := srv.Sim.SessionKey(simtest.Alice); !errors.Is(err, wechatsim.ErrNoSessionKey) {
		t.Errorf("SessionKey = %v, want ErrNoSessionKey", err)
	}
}

func TestUnknownAppIsAnError(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	if _, err := srv.Sim.MintCode(wechatsim.User{App: "wx0"}, wechatsim.Login{}); !errors.Is(err, wechatsim.ErrUnknownApp) {
		t.Errorf("MintCode = %v, want ErrUnknownApp", err)
	}
	if _, err := srv.Sim.MintCode(simtest.Alice, wechatsim.Login{SessionKey: "AAAA"}); !errors.Is(err, wechatsim.ErrBadSessionKey) {
		t.Errorf("MintCode = %v, want ErrBadSessionKey", err)
	}
}
