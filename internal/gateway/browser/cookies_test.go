package browser

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/web"
)

const ours = "__Host-wxgate"

// TestTake: only the site's cookies are removed from the request.
func TestTake(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for name, test := range map[string]struct {
		sent    []string
		session string
		two     bool
		rest    []string
	}{
		"none":                             {nil, "", false, nil},
		"the session":                      {[]string{ours + "=wxc_a"}, "wxc_a", false, nil},
		"between others":                   {[]string{"a=1; " + ours + "=wxc_a; b=2"}, "wxc_a", false, []string{"a=1; b=2"}},
		"in several lines":                 {[]string{"a=1", ours + "=wxc_a", "b=2"}, "wxc_a", false, []string{"a=1; b=2"}},
		"without spaces":                   {[]string{"a=1;" + ours + "=wxc_a;b=2"}, "wxc_a", false, []string{"a=1; b=2"}},
		"with tabs":                        {[]string{"a=1;\t " + ours + "=wxc_a \t;b=2"}, "wxc_a", false, []string{"a=1; b=2"}},
		"quoted":                           {[]string{ours + `="wxc_a"`}, `"wxc_a"`, false, nil},
		"with an equals sign":              {[]string{ours + "=a=b"}, "a=b", false, nil},
		"empty":                            {[]string{"a=1; " + ours + "="}, "", false, []string{"a=1"}},
		"without a value":                  {[]string{"a=1; " + ours}, "", false, []string{"a=1"}},
		"twice":                            {[]string{ours + "=wxc_a; " + ours + "=wxc_b"}, "wxc_b", true, nil},
		"twice, equal":                     {[]string{ours + "=wxc_a; " + ours + "=wxc_a"}, "wxc_a", true, nil},
		"twice, in two lines":              {[]string{ours + "=wxc_a", "a=1", ours + "=wxc_b"}, "wxc_b", true, []string{"a=1"}},
		"twice, the first empty":           {[]string{ours + "=; " + ours + "=wxc_a"}, "wxc_a", true, nil},
		"twice, one without value":         {[]string{ours + "; " + ours + "=wxc_a"}, "wxc_a", true, nil},
		"twice, one empty":                 {[]string{ours + "=wxc_a; " + ours + "="}, "", true, nil},
		"three":                            {[]string{ours + "=; " + ours + "=a; " + ours + "=b"}, "b", true, nil},
		"all of the site's":                {[]string{ours + "=wxc_a; " + ours + "-scan=k; " + ours + "-login-01234567=x; a=1; " + ours + "-login-89abcdef=y"}, "wxc_a", false, []string{"a=1"}},
		"only the scan":                    {[]string{ours + "-scan=k; a=1"}, "", false, []string{"a=1"}},
		"longer names":                     {[]string{ours + "2=a; " + ours + "-other=b; " + ours + "-scan2=c; " + ours + "-logi=d"}, "", false, []string{ours + "2=a; " + ours + "-other=b; " + ours + "-scan2=c; " + ours + "-logi=d"}},
		"other prefixes":                   {[]string{"wxgate=a; __Secure-wxgate=b; __Host-=c; Host-wxgate=d"}, "", false, []string{"wxgate=a; __Secure-wxgate=b; __Host-=c; Host-wxgate=d"}},
		"another case":                     {[]string{"__host-wxgate=a; __HOST-WXGATE=b"}, "", false, []string{"__host-wxgate=a; __HOST-WXGATE=b"}},
		"in a value":                       {[]string{"a=" + ours + "=wxc_a"}, "", false, []string{"a=" + ours + "=wxc_a"}},
		"without a name":                   {[]string{"=" + ours + "=wxc_a"}, "", false, []string{"=" + ours + "=wxc_a"}},
		"in quotes":                        {[]string{`a="; ` + ours + `=wxc_a; b="`}, "wxc_a", false, []string{`a="; b="`}}, // as RFC 6265 reads it
		"$Version":                         {[]string{"$Version=1," + ours + "=wxc_a"}, "", false, []string{"$Version=1," + ours + "=wxc_a"}},
		"a Unicode space before":           {[]string{"\u2000" + ours + "=wxc_a; \u00a0" + ours + "=wxc_b; \u0085" + ours + "=wxc_c"}, "", false, []string{"\u2000" + ours + "=wxc_a; \u00a0" + ours + "=wxc_b; \u0085" + ours + "=wxc_c"}},
		"a Unicode space before, and ours": {[]string{"\u2000" + ours + "=evil; " + ours + "=wxc_a"}, "wxc_a", false, []string{"\u2000" + ours + "=evil"}},
		"other control characters":         {[]string{"\x0b" + ours + "=a; \x0c" + ours + "=b"}, "", false, []string{"\x0b" + ours + "=a; \x0c" + ours + "=b"}},
		"escaped":                          {[]string{"__Host%2Dwxgate=a"}, "", false, []string{"__Host%2Dwxgate=a"}},
		"empty pairs":                      {[]string{"a=1;; ;" + ours + "=wxc_a;"}, "wxc_a", false, []string{"a=1"}},
		"only others":                      {[]string{"a=1;b=2", "c=3"}, "", false, []string{"a=1;b=2", "c=3"}},
	} {
		header := http.Header{"Cookie": test.sent, "X-Other": {"a"}}
		if test.sent == nil {
			delete(header, "Cookie")
		}
		taken := s.Take(header)
		if taken.Session != test.session || (taken.Err != nil) != test.two || taken.Sent() != (test.session != "" || test.two) {
			t.Errorf("%s: took %q, %v", name, taken.Session, taken.Err)
		}
		if test.two && !errors.Is(taken.Err, edge.ErrTwoTokens) {
			t.Errorf("%s: %v, want ErrTwoTokens", name, taken.Err)
		}
		if !slices.Equal(header["Cookie"], test.rest) || header.Get("X-Other") != "a" {
			t.Errorf("%s: left %q, want %q", name, header["Cookie"], test.rest)
		}
	}
}

// FuzzTake: all cookies of the site are removed, and no others.
func FuzzTake(f *testing.F) {
	s := newSite(f, nil)
	for _, seed := range []string{"", "a=1; " + ours + "=x", ours + "-login-0=a;" + ours + "-scan=b", "\u2000" + ours + "=x", "; ;=;"} {
		f.Add(seed, "b=2")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		header := http.Header{"Cookie": {one, other}}
		before := pairsOf(header)
		s.Take(header)
		after := pairsOf(header)
		kept := slices.DeleteFunc(before, func(pair string) bool {
			name, _, _ := strings.Cut(pair, "=")
			return name == ours || name == ours+"-scan" || strings.HasPrefix(name, ours+"-login-")
		})
		if !slices.Equal(kept, after) {
			t.Errorf("%q, %q: left %q, want %q", one, other, after, kept)
		}
	})
}

func pairsOf(header http.Header) (pairs []string) {
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.Trim(pair, " \t"); pair != "" {
				pairs = append(pairs, pair)
			}
		}
	}
	return pairs
}

func TestCookieNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		configured string
		secure     bool
		want       string // "" for an error
	}{
		{"", true, "__Host-wxgate"},
		{"", false, "wxgate"},
		{"__Host-shop", true, "__Host-shop"},
		{"shop", false, "shop"},
		{"shop", true, ""},
		{"__Secure-shop", true, ""},
		{"__host-shop", true, ""},
		{"__HOST-shop", true, ""},
		{"__Host-", true, ""},
		{"__Host-shop", false, ""},
		{"__secure-shop", false, ""},
		{"__host-shop", false, ""},
		{"a b", false, ""}, {"a=b", false, ""}, {"a;b", false, ""}, {"a,b", false, ""}, {"中", false, ""}, {"a\r\nb", false, ""}, {`"a"`, false, ""},
	} {
		got, err := newNames(test.configured, test.secure)
		if (err != nil) != (test.want == "") || got.session != test.want {
			t.Errorf("%q, secure: %t: %+v, %v", test.configured, test.secure, got, err)
		}
		if err == nil && (got.scan != test.want+"-scan" || got.login != test.want+"-login-") {
			t.Errorf("%q: %+v", test.configured, got)
		}
	}
}

// TestSet checks the attributes of each cookie.
func TestSet(t *testing.T) {
	t.Parallel()
	local := newSite(t, func(c *Config) { c.URL = "http://127.0.0.1:8080" })
	for _, test := range []struct {
		site *Site
		life time.Duration
		want string
	}{
		{newSite(t, nil), time.Hour, "__Host-wxgate=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{newSite(t, nil), -1, "__Host-wxgate=v; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{local, time.Hour, "wxgate=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		if test.site.set(w, test.site.cookies.session, "v", test.life); w.Header().Get("Set-Cookie") != test.want {
			t.Errorf("%q, want %q", w.Header().Get("Set-Cookie"), test.want)
		}
	}
}

// TestLoginCookies: a limited number of logins may be in progress, and each has a cookie that
// browsers accept.
func TestLoginCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	state := strings.Repeat("0123456789abcdef", 2)
	cookies := func(n int) Cookies {
		line := "a=1"
		for i := range n {
			line += fmt.Sprintf("; %s-login-%08x=sealed%d", ours, i, i)
		}
		return s.Take(http.Header{"Cookie": {line}})
	}
	for sent, want := range map[int]int{0: 1, maxLogins - 1: 1, maxLogins: maxLogins + 1, 3 * maxLogins: 3*maxLogins + 1} {
		w := httptest.NewRecorder()
		if err := s.setLogin(&Call{W: w, Cookies: cookies(sent)}, state, "sealed"); err != nil {
			t.Fatal(err)
		}
		set := w.Header()["Set-Cookie"]
		if len(set) != want || set[len(set)-1] != ours+"-login-01234567=sealed; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax" {
			t.Errorf("with %d logins: %q", sent, set)
		}
		for _, deleted := range set[:len(set)-1] {
			if !strings.Contains(deleted, "Max-Age=0") {
				t.Errorf("with %d logins: %q", sent, deleted)
			}
		}
	}
	taken := s.Take(http.Header{"Cookie": {ours + "-login-01234567=a; " + ours + "-login-89abcdef=b"}})
	for text, want := range map[string]string{state: "a", "89abcdef" + state[:24]: "b", "ffffffff" + state[:24]: "", state[:31]: "", "": "", "-login-0": ""} {
		if got := s.login(&taken, text); got != want {
			t.Errorf("the login of %q is %q, want %q", text, got, want)
		}
	}
	longest := strings.Repeat("a", maxLoginBytes)
	if err := s.setLogin(&Call{W: httptest.NewRecorder()}, state, longest); err != nil || len(s.loginName(state)+longest) > 4096 {
		t.Errorf("%v, a cookie of %d bytes", err, len(s.loginName(state)+longest))
	}
	if err := s.setLogin(&Call{W: httptest.NewRecorder()}, state, longest+"a"); !isProblem(err, errLongReturn) {
		t.Errorf("a longer one: %v", err)
	}
	if !web.ValidState(state) {
		t.Error("the test has no state")
	}
}
