package caddymodule_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// serverSide has all functions for WeChat's server side: pushes to a service, signed and
// encrypted calls, wxgate_openapi, and a path for users of low risk.
var serverSide = withRisk(siteWith{
	apps: strings.Replace(securedApp, "MORE\n\t\t\t}", "}\n\t\t\t"+forwarding("{$WXGATE_TEST_SERVICE}/wechat"), 1),
	sites: `http://{{.Addr}} {
	handle /wxa/* {
		wxgate_openapi
	}
	handle {
		wxgate {
			require risk 2 on /coupon
		}
		reverse_proxy {$WXGATE_TEST_SERVICE}
	}
}`,
}.String(), "risk marketing cache 0")

// TestServiceWithoutWeChatCode: a service that only reads headers and JSON receives a message,
// asks for the risk rank of its sender, and serves a path that users of high risk cannot reach.
// With -v it logs its requests.
func TestServiceWithoutWeChatCode(t *testing.T) {
	setPushEnv(t)
	f := newStoppedFixture(t, simConfig(), serverSide)
	ranks := make(chan string, 1)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		openid := r.Header.Get("X-WX-OPENID")
		t.Logf("service: %s %s from %s, X-WX-OPENID %s %s", r.Method, r.URL.Path, r.Header.Get("X-WX-SOURCE"), openid, body)
		if r.Header.Get("X-WX-SOURCE") == "wx_push" {
			query := fmt.Sprintf(`{"appid":%q,"openid":%q,"scene":1,"client_ip":"198.51.100.7"}`, r.Header.Get("X-WX-APPID"), openid)
			a, err := f.try("POST", "/wxa/getuserriskrank", query)
			t.Logf("service: POST /wxa/getuserriskrank %s -> %d %s %v", query, a.status, a.body, err)
			ranks <- a.body
		}
	}))
	defer service.Close()
	t.Setenv("WXGATE_TEST_SERVICE", service.URL)
	f.secure()
	f.load()

	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	f.rank("alice", 1)
	f.login("alice") // WeChat ranks users who were active within two hours
	f.wantPushed(customerText(alice, "23637352235060880", "is the coupon still valid?"))
	if got := <-ranks; !strings.Contains(got, `"errcode":0`) || !strings.Contains(got, `"risk_rank":1`) {
		t.Errorf("the service received %s", got)
	}
	for rank, want := range []int{200, 200, 200, 403, 403} {
		f.rank("alice", rank)
		a := f.do("GET", "/coupon", "", "Authorization", "Bearer "+f.token("alice"))
		t.Logf("client of rank %d: GET /coupon -> %d %s", rank, a.status, a.body)
		if a.status != want {
			t.Errorf("rank %d: %d, want %d", rank, a.status, want)
		}
	}
	for _, request := range f.sim.Sim.Requests(rankPath) {
		if !strings.HasPrefix(request.Body, `{"iv":`) {
			t.Errorf("WeChat received an unencrypted call: %s", request.Body)
		}
	}
}
