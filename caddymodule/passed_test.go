package caddymodule_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	passedHeader = "X-Wx-Risk-Rank"
	trustedPeer  = "127.0.0.2"
	otherPeer    = "127.0.0.3"
)

// passingSites are two sites with the same options, one of them with TLS. Caddy drops header
// names with underscores and dots here; in TestAttackCorpusWithEverythingOn it accepts them.
const passingSites = `
(site) {
	bind 127.0.0.1
	wxgate {
		pass_from_trusted X-WX-RISK-RANK X-WX-PLATFORM
	}
	reverse_proxy {{.Upstream}}
}
http://{{.Addr}} {
	import site
}
https://localhost:{{slice .Plain 10}} {
	tls internal
	import site
}
`

func newPassingFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, siteWith{sites: passingSites, store: "memory", global: `skip_install_trust
	auto_https disable_redirects
	servers {
		trusted_proxies static ` + trustedPeer + `
	}`}.String())
	waitForTLS(t, f.plain, "localhost")
	return f
}

// clientsFrom returns a client for each protocol, whose address is peer.
func clientsFrom(t *testing.T, peer string) map[string]*http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(peer)}}
	insecure := &tls.Config{InsecureSkipVerify: true} // Caddy's local CA
	h1 := &http.Transport{DialContext: dialer.DialContext}
	h2 := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: insecure, ForceAttemptHTTP2: true}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(peer)})
	if err != nil {
		t.Fatal(err)
	}
	from := &quic.Transport{Conn: udp}
	h3 := &http3.Transport{TLSClientConfig: insecure, Dial: func(ctx context.Context, addr string, config *tls.Config, qc *quic.Config) (*quic.Conn, error) {
		to, err := net.ResolveUDPAddr("udp4", addr)
		if err != nil {
			return nil, err
		}
		return from.Dial(ctx, to, config, qc)
	}}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		_ = h3.Close()
		_ = from.Close()
		_ = udp.Close()
	})
	return map[string]*http.Client{"HTTP/1.1": {Transport: h1}, "HTTP/2.0": {Transport: h2}, "HTTP/3.0": {Transport: h3}}
}

// arrived returns the headers of a request whose names are the passed ones in any spelling.
func arrived(r *http.Request) []string {
	var got []string
	for name, values := range r.Header {
		if bare := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", "\u00a0", "").Replace(name)); bare == "xwxriskrank" || bare == "xwxplatform" {
			got = append(got, name+"="+strings.Join(values, "|"))
		}
	}
	slices.Sort(got)
	return got
}

// TestPassFromTrusted sends the header over every protocol, in every form, from a trusted proxy
// and from another address.
func TestPassFromTrusted(t *testing.T) {
	f := newPassingFixture(t)
	token := f.token("alice")
	for _, test := range []struct {
		name, peer string
		header     http.Header
		want       []string
	}{
		{"trusted", trustedPeer, http.Header{passedHeader: {"3"}}, []string{passedHeader + "=3"}},
		{"two names", trustedPeer, http.Header{passedHeader: {"3"}, "X-Wx-Platform": {"ios"}}, []string{"X-Wx-Platform=ios", passedHeader + "=3"}},
		{"untrusted", otherPeer, http.Header{passedHeader: {"3"}}, nil},
		{"untrusted, with forged forwarding headers", otherPeer, http.Header{passedHeader: {"3"}, "X-Forwarded-For": {trustedPeer}, "Forwarded": {"for=" + trustedPeer}}, nil},
		{"twice", trustedPeer, http.Header{passedHeader: {"0", "3"}}, nil},
		{"twice in one line", trustedPeer, http.Header{passedHeader: {"0,3"}}, nil},
		{"underscores", trustedPeer, http.Header{"X_WX_RISK_RANK": {"0"}}, nil},
		{"dots", trustedPeer, http.Header{"X.WX.RISK.RANK": {"0"}}, nil},
		{"a client's spellings beside the proxy's", trustedPeer, http.Header{passedHeader: {"3"}, "X_WX_RISK_RANK": {"0"}, "X-WX-RISK_RANK": {"0"}, "X-WX--RISK-RANK": {"0"}}, []string{passedHeader + "=3"}},
		{"another header", trustedPeer, http.Header{"X-Wx-Client-Ip": {"198.51.100.1"}, "X-Wx-Openid": {"victim"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for protocol, c := range clientsFrom(t, test.peer) {
				url := f.url
				if protocol != "HTTP/1.1" {
					url = "https://localhost:" + f.plain[len("127.0.0.1:"):]
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/orders", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = test.header.Clone()
				r.Header.Set("Authorization", "Bearer "+token)
				response, err := c.Do(r)
				if err != nil {
					t.Fatalf("%s: %v", protocol, err)
				}
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK || response.Proto != protocol {
					t.Fatalf("%s: %s over %s", protocol, response.Status, response.Proto)
				}
				sent := f.upstream.last(t)
				if got := arrived(sent); !slices.Equal(got, test.want) {
					t.Errorf("%s: the upstream got %q, want %q", protocol, got, test.want)
				}
				if openid := sent.Header.Values("X-Wx-Openid"); len(openid) != 1 || openid[0] == "victim" {
					t.Errorf("%s: the openid is %q", protocol, openid)
				}
			}
		})
	}
}

// TestPassFromNginx: nginx sets the header. The same header from a client of nginx, in any
// spelling, does not reach the upstream.
func TestPassFromNginx(t *testing.T) {
	f := newFixture(t, siteWith{handler: "pass_from_trusted X-WX-RISK-RANK", global: "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}"}.String())
	token := f.token("alice")
	f.through(startNginx(t, fmt.Sprintf("underscores_in_headers on;\nlocation / { proxy_pass http://%s; proxy_set_header Host $http_host; proxy_set_header X-WX-RISK-RANK 3; }", f.addr)))
	f.do("GET", "/orders", "", "Host", f.addr, "Authorization", "Bearer "+token, "X-WX-RISK-RANK", "0", "X_WX_RISK_RANK", "0").want(t, http.StatusOK, "")
	if got := arrived(f.upstream.last(t)); !slices.Equal(got, []string{passedHeader + "=3"}) {
		t.Errorf("the upstream got %q", got)
	}
}

// TestVerifyPassesNothing: the response of wxgate_verify has only the identity headers. It never
// returns a client's header as if it were the gateway's.
func TestVerifyPassesNothing(t *testing.T) {
	f := newFixture(t, verifyPage(t, "nginx"))
	f.addr, f.url = f.plain, "http://"+f.plain
	token := f.token("alice")
	a := f.do("GET", "/ask", "", "Authorization", "Bearer "+token, "X-Original-URI", "/orders", "X-WX-RISK-RANK", "0", "X_WX_RISK_RANK", "0")
	a.want(t, http.StatusOK, "")
	if got := arrived(&http.Request{Header: a.header}); got != nil || a.header.Get("X-Wx-Openid") == "" {
		t.Errorf("the response has %q: %v", got, a.header)
	}
}

// TestPassFromEveryone: pass_from_trusted is refused if trusted_proxies contains every address,
// because any client could then send the header.
func TestPassFromEveryone(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), siteWith{handler: "pass_from_trusted X-WX-RISK-RANK", global: "servers {\n\t\ttrusted_proxies static 0.0.0.0/0\n\t}"}.String())
	f.wantLoadError("pass_from_trusted: trusted_proxies contains every address, so any client could send X-WX-RISK-RANK")
}

// gatewayHeaders are headers that WeChat Gateway (微信网关) sets.
var gatewayHeaders = []string{"X-WX-RISK-RANK", "X-WX-DEVICE-RISK-RANK", "X-WX-DEVICE-UV-1D", "X-WX-DEVICE-SECURITY-STATUS", "X-WX-PLATFORM", "X-WX-CLIENT-IP"}

// TestWeChatGatewayHeaders: headers of WeChat Gateway are passed only if the site names them, and
// only from the gateway's address.
func TestWeChatGatewayHeaders(t *testing.T) {
	trust := "servers {\n\t\ttrusted_proxies static " + trustedPeer + "\n\t}"
	for name, row := range map[string]struct {
		handler, peer string
		passed        bool
	}{
		"named, from the gateway":   {"pass_from_trusted " + strings.Join(gatewayHeaders, " "), trustedPeer, true},
		"named, from a client":      {"pass_from_trusted " + strings.Join(gatewayHeaders, " "), otherPeer, false},
		"unnamed, from the gateway": {"", trustedPeer, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, siteWith{handler: row.handler, store: "memory", global: trust}.String())
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/orders", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+f.token("alice"))
			for _, header := range gatewayHeaders {
				r.Header.Set(header, "4")
				r.Header[strings.ReplaceAll(header, "-", "_")] = []string{"0"} // a client's spelling
			}
			response, err := clientsFrom(t, row.peer)["HTTP/1.1"].Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			sent := f.upstream.last(t)
			for _, header := range gatewayHeaders {
				want := ""
				if row.passed {
					want = "4"
				}
				if got := strings.Join(sent.Header.Values(header), " "); got != want || sent.Header[strings.ReplaceAll(header, "-", "_")] != nil {
					t.Errorf("the upstream got %s: %q, want %q", header, got, want)
				}
			}
		})
	}
}
