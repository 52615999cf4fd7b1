package browser

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/problem"
)

// TestDetach: every spelling of a credential is removed from the query, which is logged, and
// all other parameters stay.
func TestDetach(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for query, test := range map[string]struct {
		rest string
		kept url.Values // nil if nothing is detached
	}{
		"":                                   {"", nil},
		"return=/a":                          {"return=/a", nil},
		"ticket=wxt_a":                       {"", url.Values{"ticket": {"wxt_a"}}},
		"ticket=wxt_a&return=%2Fa":           {"return=%2Fa", url.Values{"ticket": {"wxt_a"}}},
		"code=c&state=s":                     {"", url.Values{"code": {"c"}, "state": {"s"}}},
		"a=1&code=c&b=2&state=s&c=3":         {"a=1&b=2&c=3", url.Values{"code": {"c"}, "state": {"s"}}},
		"code=c&code=d":                      {"", url.Values{"code": {"c", "d"}}},
		"CODE=c&State=s&tIcKeT=t":            {"", url.Values{"code": {"c"}, "state": {"s"}, "ticket": {"t"}}},
		"%63ode=c&st%61te=s&%54icket=t":      {"", url.Values{"code": {"c"}, "state": {"s"}, "ticket": {"t"}}},
		"code":                               {"", url.Values{"code": {""}}},
		"code=":                              {"", url.Values{"code": {""}}},
		"code=a=b":                           {"", url.Values{"code": {"a=b"}}},
		"code=a%26b+c":                       {"", url.Values{"code": {"a&b c"}}},
		"code=%zz&return=/a":                 {"return=/a", url.Values{"code": {""}}},
		"codes=1&tickets=2&xstate=3&cod=4":   {"codes=1&tickets=2&xstate=3&cod=4", nil},
		"code%20=1&+code=2&code[]=3":         {"code%20=1&+code=2&code[]=3", nil},
		"%zz=1&code%zz=2":                    {"%zz=1&code%zz=2", nil},
		"return=%3Fticket%3Dx&x=code":        {"return=%3Fticket%3Dx&x=code", nil},
		"&&code=c&&":                         {"&&&", url.Values{"code": {"c"}}},
		"appid=wx&ticket=t&%74%69cket=wxt_b": {"appid=wx", url.Values{"ticket": {"t", "wxt_b"}}},
	} {
		for _, path := range []string{"/v1.0/pub/web/callback", "/v1.0/pub/web/enter"} {
			r := request(http.MethodGet, path, "Referer", "https://example.com/?ticket=wxt_a", "Accept", "a")
			r.URL.RawQuery = query
			detached := s.Detach(r)
			if (detached != nil) != (test.kept != nil) {
				t.Errorf("%q: detached: %t", query, detached != nil)
				continue
			}
			if got := WithoutCredentials(query); strings.Trim(got, "&") != strings.Trim(test.rest, "&") {
				t.Errorf("%q: left %q, want %q", query, got, test.rest)
			}
			if detached == nil {
				continue
			}
			kept, _ := detached.Context().Value(detachedKey{}).(url.Values)
			if !reflect.DeepEqual(kept, test.kept) || detached.Header["Referer"] != nil || detached.Header.Get("Accept") != "a" {
				t.Errorf("%q: kept %v, want %v; headers %v", query, kept, test.kept, detached.Header)
			}
			if s.Detach(detached) != nil {
				t.Errorf("%q: detached twice: the request would be served in an endless loop", query)
			}
		}
	}
	for _, path := range []string{"/", "/orders", "/v1.0/pub/web/login", "/v1.0/pub/web/callback/", "/v1.0/pub/web/callbacks", "/web/callback", "/v1.0/pub/prefetch-token"} {
		if r := request(http.MethodGet, path+"?code=c&state=s&ticket=t"); s.Detach(r) != nil {
			t.Errorf("%s: it was detached, but the parameters belong to the upstream", path)
		}
	}
	if (*Site)(nil).Detach(request(http.MethodGet, "/v1.0/pub/web/callback?code=c")) != nil {
		t.Error("a site without browsers detaches")
	}
}

func TestParameter(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for query, want := range map[string]string{
		"": "", "code=c": "c", "a=1&code=c": "c", "CODE=c": "c", "code=": "", "return=%2Fa%3Fb": "",
		"code=a&code=b": "400", "code=a&code=a": "400", "code=a&Code=b": "400", "a=%zz&code=a": "400", "a;b&code=a": "400",
	} {
		r := request(http.MethodGet, "/v1.0/pub/web/callback")
		r.URL.RawQuery = query
		if detached := s.Detach(r); detached != nil {
			r = detached
			r.URL.RawQuery = WithoutCredentials(query)
		}
		got, err := parameter(r, paramCode)
		if err != nil {
			if got = "400"; problem.Of(err).Status != http.StatusBadRequest {
				t.Errorf("%q: %v", query, err)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

// FuzzDetach: no reader finds a credential in the remaining query, and all other parameters
// stay.
func FuzzDetach(f *testing.F) {
	for _, seed := range []string{"", "code=c&state=s", "%63ode=c", "a=1&TICKET=x&b=2", "code", "&=&", "a;code=b", "code%zz=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		left, _ := url.ParseQuery(WithoutCredentials(query))
		want, _ := url.ParseQuery(query)
		for name := range want {
			for _, credential := range credentials {
				if strings.EqualFold(name, credential) {
					delete(want, name)
				}
			}
		}
		if !reflect.DeepEqual(left, want) {
			t.Errorf("%q: left %v, want %v", query, left, want)
		}
	})
}
