package wechatsim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestZeroConfigWorks(t *testing.T) {
	t.Parallel()
	srv, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	code := simtest.Mint(t, srv, wechatsim.User{}, wechatsim.Login{})
	r := simtest.Call(t, http.MethodGet, simtest.LoginURL(srv, wechatsim.DefaultApp, code), "")
	simtest.WantCode(t, r, 0)
	if want := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"); r.OpenID != want || len(want) != 28 {
		t.Errorf("openid = %q, want %q of 28 characters", r.OpenID, want)
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	resp, body := simtest.Send(t, http.MethodGet, srv.URL+"/wxa/nothing", "")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `{"errcode":40066,"errmsg":"invalid url rid: `) {
		t.Errorf("= %d %q, want 40066", resp.StatusCode, body)
	}
	resp, body = simtest.Send(t, http.MethodGet, srv.URL+"/qq/nothing", "")
	if resp.StatusCode != http.StatusNotFound || strings.Contains(body, "errcode") {
		t.Errorf("on QQ = %d %q, want 404 without errcode", resp.StatusCode, body)
	}
}
