package edge

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// pageFrame is the Referer that WeChat sends for a version of wx1.
func pageFrame(version string) string {
	return "https://servicewechat.com/wx1/" + version + "/page-frame.html"
}

// referers are values of the header Referer of a request of wx1, and the expected result.
var referers = map[string]struct {
	values []string
	want   AppVersion
}{
	"release":   {[]string{pageFrame("12")}, AppVersion{"12", "release"}},
	"trial":     {[]string{pageFrame("0")}, AppVersion{"", "trial"}},
	"devtools":  {[]string{pageFrame("devtools")}, AppVersion{"", "devtools"}},
	"longest":   {[]string{pageFrame("999999999")}, AppVersion{"999999999", "release"}},
	"too long":  {[]string{pageFrame("1000000000")}, AppVersion{}},
	"very long": {[]string{pageFrame(strings.Repeat("1", 1<<16))}, AppVersion{}},

	"absent":    {nil, AppVersion{}},
	"empty":     {[]string{""}, AppVersion{}},
	"two":       {[]string{pageFrame("12"), pageFrame("13")}, AppVersion{}},
	"two equal": {[]string{pageFrame("12"), pageFrame("12")}, AppVersion{}},
	"a list":    {[]string{pageFrame("12") + ", " + pageFrame("12")}, AppVersion{}},

	"another app":             {[]string{"https://servicewechat.com/wx2/12/page-frame.html"}, AppVersion{}},
	"a longer appid":          {[]string{"https://servicewechat.com/wx11/12/page-frame.html"}, AppVersion{}},
	"a shorter appid":         {[]string{"https://servicewechat.com/wx/12/page-frame.html"}, AppVersion{}},
	"an appid in capitals":    {[]string{"https://servicewechat.com/WX1/12/page-frame.html"}, AppVersion{}},
	"no appid":                {[]string{"https://servicewechat.com/12/page-frame.html"}, AppVersion{}},
	"another host":            {[]string{"https://example.com/wx1/12/page-frame.html"}, AppVersion{}},
	"a host with this prefix": {[]string{"https://servicewechat.com.example.com/wx1/12/page-frame.html"}, AppVersion{}},
	"a host with this suffix": {[]string{"https://a.servicewechat.com/wx1/12/page-frame.html"}, AppVersion{}},
	"in a query":              {[]string{"https://example.com/?" + pageFrame("12")}, AppVersion{}},
	"http":                    {[]string{"http://servicewechat.com/wx1/12/page-frame.html"}, AppVersion{}},
	"no scheme":               {[]string{"//servicewechat.com/wx1/12/page-frame.html"}, AppVersion{}},
	"userinfo":                {[]string{"https://a@servicewechat.com/wx1/12/page-frame.html"}, AppVersion{}},
	"host as userinfo":        {[]string{"https://servicewechat.com@example.com/wx1/12/page-frame.html"}, AppVersion{}},
	"a port":                  {[]string{"https://servicewechat.com:443/wx1/12/page-frame.html"}, AppVersion{}},
	"an escaped version":      {[]string{pageFrame("%31")}, AppVersion{}},
	"an escaped slash":        {[]string{"https://servicewechat.com/wx1%2F12/page-frame.html"}, AppVersion{}},
	"a query":                 {[]string{pageFrame("12") + "?a"}, AppVersion{}},
	"a fragment":              {[]string{pageFrame("12") + "#a"}, AppVersion{}},
	"a trailing space":        {[]string{pageFrame("12") + " "}, AppVersion{}},
	"a leading space":         {[]string{" " + pageFrame("12")}, AppVersion{}},
	"another page":            {[]string{"https://servicewechat.com/wx1/12/page.html"}, AppVersion{}},
	"two versions":            {[]string{pageFrame("12/13")}, AppVersion{}},
	"dots":                    {[]string{pageFrame("../wx1/12")}, AppVersion{}},
	"no version":              {[]string{pageFrame("")}, AppVersion{}},
	"one slash missing":       {[]string{"https://servicewechat.com/wx1/page-frame.html"}, AppVersion{}},
	"a sign":                  {[]string{pageFrame("+12")}, AppVersion{}},
	"a negative number":       {[]string{pageFrame("-1")}, AppVersion{}},
	"leading zeros":           {[]string{pageFrame("012")}, AppVersion{}},
	"two zeros":               {[]string{pageFrame("00")}, AppVersion{}},
	"a fraction":              {[]string{pageFrame("1.2")}, AppVersion{}},
	"an environment":          {[]string{pageFrame("release")}, AppVersion{}},
	"tools in capitals":       {[]string{pageFrame("DevTools")}, AppVersion{}},
	"fullwidth digits":        {[]string{pageFrame("１２")}, AppVersion{}},
	"a line break":            {[]string{pageFrame("12\r\nX-Wx-Openid: victim")}, AppVersion{}},
}

// TestAppVersionOf reads Referers of WeChat, and forged ones.
func TestAppVersionOf(t *testing.T) {
	t.Parallel()
	for name, test := range referers {
		if got := AppVersionOf(http.Header{"Referer": test.values}, "wx1"); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

// TestAppVersionHeaders: the headers are sent with their configured names, once, whatever the
// client sent with these names. They are not sent if they have no name or the value is unknown.
func TestAppVersionHeaders(t *testing.T) {
	t.Parallel()
	id := &auth.Identity{User: auth.User{App: "wx1", OpenID: "o"}}
	for name, test := range map[string]struct {
		names        Names
		referer      string
		version, env string // "" for none
	}{
		"off":          {Names{}, pageFrame("12"), "", ""},
		"both":         {Names{AppVersion: "app-version", AppEnv: "app-env"}, pageFrame("12"), "12", "release"},
		"version only": {Names{AppVersion: "app-version", Phone: "app-env"}, pageFrame("12"), "12", ""},
		"env only":     {Names{AppEnv: "app-env", Phone: "app-version"}, pageFrame("12"), "", "release"},
		"trial":        {Names{AppVersion: "app-version", AppEnv: "app-env"}, pageFrame("0"), "", "trial"},
		"unknown":      {Names{AppVersion: "app-version", AppEnv: "app-env"}, "https://example.com/", "", ""},
	} {
		headers, err := NewHeaders(test.names)
		if err != nil {
			t.Fatal(err)
		}
		e := &Edge{Headers: headers}
		r := request("GET", "/orders", "Referer", test.referer)
		if test.names != (Names{}) {
			for _, forged := range []string{"App-Version", "App-Env", "app_version", "APP_ENV"} {
				r.Header[forged] = []string{"forged", "forged"}
			}
		}
		if _, err := e.Receive(r); err != nil {
			t.Fatal(err)
		}
		e.Send(r, r.Header, id, "")
		if got := strings.Join(r.Header["App-Version"], ","); got != test.version {
			t.Errorf("%s: version %q, want %q", name, got, test.version)
		}
		if got := strings.Join(r.Header["App-Env"], ","); got != test.env {
			t.Errorf("%s: environment %q, want %q", name, got, test.env)
		}
		if strings.Contains(fmt.Sprint(r.Header), "forged") {
			t.Errorf("%s: the client's header reached the upstream: %v", name, r.Header)
		}
	}
}

// TestAppVersionNames refuses names that would replace a part of the identity.
func TestAppVersionNames(t *testing.T) {
	t.Parallel()
	for _, names := range []Names{
		{AppVersion: "X-WX-OPENID"},
		{AppEnv: "x-wx-openid"},
		{AppVersion: "X-A", AppEnv: "x-a"},
		{AppVersion: "Host"},
		{AppEnv: "X_Env"},
	} {
		if _, err := NewHeaders(names); err == nil {
			t.Errorf("%+v is accepted", names)
		}
	}
	headers, err := NewHeaders(Names{AppEnv: "X-WX-APP-ENV"})
	if err != nil {
		t.Fatal(err)
	}
	if err := headers.Pass([]string{"X-WX-APP-ENV"}); err == nil {
		t.Error("a trusted proxy may set the header of the environment")
	}
}

// wechatReferer is a model of AppVersionOf that shares no code with it.
var wechatReferer = regexp.MustCompile(`^https://servicewechat\.com/wx1/(?:(0)|(devtools)|([1-9][0-9]{0,8}))/page-frame\.html$`)

// FuzzReferer: a Referer has a version only if it has WeChat's format, and then only a number
// and one of three environments reach the upstream.
func FuzzReferer(f *testing.F) {
	for _, seed := range referers {
		f.Add(strings.Join(seed.values, ""))
	}
	f.Fuzz(func(t *testing.T, referer string) {
		var want AppVersion
		if m := wechatReferer.FindStringSubmatch(referer); m != nil {
			switch {
			case m[1] != "":
				want.Env = "trial"
			case m[2] != "":
				want.Env = "devtools"
			default:
				want = AppVersion{m[3], "release"}
			}
		}
		if got := AppVersionOf(http.Header{"Referer": {referer}}, "wx1"); got != want {
			t.Errorf("%q: got %+v, want %+v", referer, got, want)
		}
	})
}
