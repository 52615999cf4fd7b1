package prefetch

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/edge"
)

const good = "appid=wx1&token=t&timestamp=1700000000000"

func TestParse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]Query{
		good: {App: "wx1", Token: "t"},
		"code=c&appid=wx1&timestamp=1&path=pages%2Findex&query=token%3Dx%26a%3D%E4%BD%A0&scene=1001&customMiniprogramVersion=1.0": {App: "wx1", Code: "c"},
		"v=2&" + good + "&tokens=1":                     {App: "wx1", Token: "t"},
		"appid=wx1&code=&token=t&timestamp=1&scene=":    {App: "wx1", Token: "t"},
		good + "&path=" + strings.Repeat("a", 2<<10):    {App: "wx1", Token: "t"},
		"appid=wx1&timestamp=1&token=a%2Bb%3D%26code=1": {App: "wx1", Token: "a+b=&code=1"},
	} {
		got, err := Parse(query)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]error{
		"":                                       errCredentials,
		"appid=wx1&timestamp=1":                  errCredentials,
		"appid=wx1&timestamp=1&token=":           errCredentials,
		good + "&code=c":                         errCredentials,
		good + "&token=t":                        errDuplicate,
		good + "&token=":                         errDuplicate,
		good + "&appid=wx2":                      errDuplicate,
		good + "&query=a&query=b":                errDuplicate,
		good + "&Token=u":                        errEncoding,
		good + "&%74oken=u":                      errEncoding,
		good + "&token[]=u":                      errEncoding,
		good + "&+code=u":                        errEncoding,
		good + "&code%00x=u":                     errEncoding,
		good + "&APPID=wx2":                      errEncoding,
		good + "&query[a]=1":                     errEncoding,
		good + ";code=u":                         errEncoding,
		good + "&path=%zz":                       errEncoding,
		good + "&path=%ff":                       errEncoding,
		good + "&path=a%0d%0aX:1":                errEncoding,
		"appid=wx1&timestamp=1&token=%00":        errEncoding,
		"token=t&timestamp=1":                    errAppID,
		"token=t&timestamp=1&appid=":             errAppID,
		"token=t&timestamp=1&appid=wx%201":       errAppID,
		"token=t&appid=wx1":                      errNumber,
		"token=t&appid=wx1&timestamp=-1":         errNumber,
		"token=t&appid=wx1&timestamp=1e9":        errNumber,
		good + "&scene=x":                        errNumber,
		good + "&x=" + strings.Repeat("a", 8192): errTooLong,
		"appid=" + strings.Repeat("a", 65) + "&token=t&timestamp=1":    errTooLong,
		"appid=wx1&token=" + strings.Repeat("a", 257) + "&timestamp=1": errTooLong,
		"appid=wx1&code=" + strings.Repeat("a", 513) + "&timestamp=1":  errTooLong,
		"appid=wx1&token=t&timestamp=" + strings.Repeat("1", 21):       errTooLong,
		good + "&path=" + strings.Repeat("a", 2049):                    errTooLong,
		good + "&customMiniprogramVersion=" + strings.Repeat("1", 65):  errTooLong,
	} {
		got, err := Parse(query)
		if !errors.Is(err, want) || got != (Query{}) {
			t.Errorf("%.80s: %+v, %v, want %v", query, got, err, want)
		}
	}
}

func TestWithoutCredential(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		good:                             "appid=wx1&timestamp=1700000000000",
		"code=1&a=2&Code=3&b=4&code[]=5": "a=2&b=4",
		"a=1;token=x&b=2":                "b=2",
		"%74oken=x&tok%65n=y&a=token":    "a=token",
		"query=token%3Dx":                "query=token%3Dx",
		"token":                          "",
		"":                               "",
	} {
		if got := WithoutCredential(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// FuzzQuery: every framework reads an accepted query in the same way, and the query that is
// logged and passed on has no credential.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		good, "code=c&appid=wx1&timestamp=1&path=pages%2Findex&scene=1", good + "&token[]=x", "a=1;token=x", "%74oken=%74", "token=t&&appid=wx1&timestamp=01",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rest := WithoutCredential(query)
		if hasCredential(rest) {
			t.Errorf("%q still has a credential: %q", query, rest)
		}
		got, err := Parse(query)
		if err != nil {
			return
		}
		if !isPrefetch(query) {
			t.Errorf("%q is parsed, but is not a prefetch", query)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			// net/url refuses an escape in a parameter that is not WeChat's.
			return
		}
		for name, want := range map[string]string{"appid": string(got.App), "token": got.Token, "code": got.Code} {
			if len(values[name]) > 1 || values.Get(name) != want {
				t.Errorf("%q: %s is %q, net/url reads %q", query, name, want, values[name])
			}
		}
		if (got.Token == "") == (got.Code == "") {
			t.Errorf("%q: %+v", query, got)
		}
		if edge.HasQueryParameter(rest, "token") || edge.HasQueryParameter(rest, "code") {
			t.Errorf("%q: rest %q", query, rest)
		}
	})
}
