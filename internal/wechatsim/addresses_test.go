package wechatsim_test

import (
	"slices"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func TestCallbackAddresses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	path := srv.URL + "/cgi-bin/getcallbackip"
	list := func(want ...string) {
		t.Helper()
		if got := simtest.Call(t, "GET", simtest.Query(path, "access_token", token), "").Addresses; !slices.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	list("127.0.0.1", "127.0.0.2", "101.226.103.0/25")
	srv.Sim.SetCallbackAddresses("192.0.2.1")
	list("192.0.2.1")
	simtest.WantCode(t, simtest.Call(t, "GET", path, ""), 41001)
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.Query(path, "access_token", "x"), ""), 40001)
	simtest.WantCode(t, simtest.Call(t, "POST", simtest.Query(path, "access_token", token), ""), 43001)
	srv.Sim.ExpireTokens()
	simtest.WantCode(t, simtest.Call(t, "GET", simtest.Query(path, "access_token", token), ""), 42001)
}
