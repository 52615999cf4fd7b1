package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestPassRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want  string // substring of the error; "" for no error
		names []string
	}{
		{"", []string{"X-WX-RISK-RANK", "x-wx-device-risk-rank"}},
		{"", []string{"X-WX-OPENIDS"}},
		{"is part of the identity", []string{"X-WX-OPENID"}},
		{"is part of the identity", []string{"x-wx-unionid"}},
		{"is part of the identity", []string{"X-Wx-Open-Id"}},
		{"is part of the identity", []string{"X-WX-FROM-OPENID"}},
		{"is part of the identity", []string{"X-WX-ASSERTION"}}, // also if the site uses another name
		{"is part of the identity", []string{"X-WX-PROOF"}},     // its name on this site
		{"is part of the identity", []string{"X-WX-USER"}},      // the name of the openid
		{"is part of the identity", []string{"X-WX-Us-er"}},
		{"is part of the identity", []string{"X-WX-Risk"}}, // sent by the gateway on this site
		{"does not begin with X-WX-", []string{"X-Risk"}},
		{"does not begin with X-WX-", []string{"X-WX"}},
		{"use letters, digits and hyphens", []string{"X_WX_RISK_RANK"}},
		{"use letters, digits and hyphens", []string{"X-WX-RISK\u00a0RANK"}},
		{"use letters, digits and hyphens", []string{"X-WX-RISK RANK"}},
		{"is named twice", []string{"X-WX-RISK-RANK", "x-wx-risk-rank"}},
	} {
		headers, err := NewHeaders(Names{OpenID: "X-WX-USER", Risk: "X-WX-RISK", Assertion: "X-WX-PROOF", AssertionAudience: "orders"})
		if err != nil {
			t.Fatal(err)
		}
		err = headers.Pass(test.names)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q: %v, want %q", test.names, err, test.want)
		}
	}
}

// TestPassFromTrusted sends a passed header like a proxy and like a client, in every form.
func TestPassFromTrusted(t *testing.T) {
	t.Parallel()
	const name = "X-Wx-Risk-Rank"
	for what, test := range map[string]struct {
		from   string
		header []string
		kept   []string
	}{
		"trusted":                             {"proxy", []string{name, "4"}, []string{name}},
		"untrusted":                           {"client", []string{name, "4"}, nil},
		"a client behind an untrusted proxy":  {"client", []string{name, "4", "X-Forwarded-For", "proxy"}, []string{"X-Forwarded-For"}},
		"twice":                               {"proxy", []string{name, "0", name, "4"}, nil},
		"twice in one":                        {"proxy", []string{name, "0, 4"}, nil},
		"empty":                               {"proxy", []string{name, ""}, nil},
		"another spelling":                    {"proxy", []string{"X_WX_RISK_RANK", "0"}, nil},
		"a second header in another spelling": {"proxy", []string{name, "4", "X_WX_RISK_RANK", "0", "X-Wx-Risk_rank", "0", "X-Wx--Risk-Rank", "0", "X-Wx-Risk-Rank\u00a0", "0", "x-wx-risk-rank", "0"}, []string{name}},
		"another header":                      {"proxy", []string{"X-Wx-Platform", "0", "X-Wx-Openid", "victim"}, nil},
		"made hop-by-hop":                     {"proxy", []string{name, "4", "Connection", "close, x-wx-risk-rank"}, []string{"Connection", name}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, Source{}, false)
			if err := e.Headers.Pass([]string{"X-WX-RISK-RANK"}); err != nil {
				t.Fatal(err)
			}
			r := request(http.MethodGet, "/orders", test.header...)
			r.RemoteAddr = test.from
			in, err := e.Receive(r)
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for header := range r.Header {
				kept = append(kept, header)
			}
			if slices.Sort(kept); !slices.Equal(kept, test.kept) || in.Spoofed == 0 && len(test.header) > 2*len(test.kept) {
				t.Errorf("kept %q, want %q; %d were counted", kept, test.kept, in.Spoofed)
			}
			if connection := r.Header.Get("Connection"); connection != "" && connection != "close" {
				t.Errorf("Connection: %s", connection)
			}
			if e.Forget(r); r.Header.Get(name) != "" {
				t.Error("an error route got the header")
			}
		})
	}
	// Without the option, a proxy's header is removed too.
	e, r := newEdge(t, Source{}, false), request(http.MethodGet, "/orders", name, "4")
	r.RemoteAddr = "proxy"
	if in, err := e.Receive(r); err != nil || in.Spoofed != 1 || r.Header.Get(name) != "" {
		t.Errorf("without the option: %v, %v", err, r.Header)
	}
}
