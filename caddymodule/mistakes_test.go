package caddymodule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mistake is a configuration that wxgate once accepted, or refused with a wrong error.
type mistake struct {
	name, global string
	want         string // part of the error; "" if the configuration is valid
	warns        string // part of the log
}

func (l *loadTest) wantMistakes(mistakes []mistake) {
	l.t.Helper()
	for _, m := range mistakes {
		l.t.Run(m.name, func(t *testing.T) {
			log, err := l.validate(m.global, "")
			switch {
			case m.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case m.want != "" && (err == nil || !strings.Contains(err.Error(), m.want)):
				t.Errorf("want %q, got: %v", m.want, err)
			case !strings.Contains(log, m.warns):
				t.Errorf("the log does not contain %q: %s", m.warns, log)
			}
		})
	}
}

// TestFormats: appids and secrets that WeChat cannot have issued are refused. Unusual ones of
// another platform cause a warning only (finding A14).
func TestFormats(t *testing.T) {
	l := newLoadTest(t)
	t.Setenv("WXGATE_TEST_SECRET", "0123456789abcdef0123456789ABCDEF")
	t.Setenv("WXGATE_TEST_LITERAL", "abc")
	const other = " {env.WXGATE_TEST_SECRET} {\n platform "
	l.wantMistakes([]mistake{
		{"good", goodApp, "", ""},
		{"appid", "app 0123 {env.WXGATE_TEST_SECRET}", "app 0123: the appid does not have WeChat's format", ""},
		{"upper case", "app wxAAAAAAAAAAAAAAAA {env.WXGATE_TEST_SECRET}", "the appid does not have WeChat's format", ""},
		{"secret", "app wx1111111111111111 {env.WXGATE_TEST_LITERAL}", "32 hexadecimal digits", ""},
		{"component", "app wx1111111111111111 {\n component wx77 https://example.com/t\n}", "component wx77: the appid does not have WeChat's format", ""},
		{"qq", "app 1100000001" + other + "qq\n}", "", ""},
		{"qq's appid", "app wx1111111111111111" + other + "qq\n}", "", "the appid does not look like one of this platform"},
		{"douyin's secret", "app tt1111111111111111 {env.WXGATE_TEST_LITERAL} {\n platform douyin\n}", "", "the secret is shorter than secrets of this platform"},
		{"access beyond refresh", goodApp + "\n token {\n access 2d\n refresh 1d\n}", "token: access 48h0m0s is longer than refresh 24h0m0s", ""},
		{"access as long as refresh", goodApp + "\n token {\n access 1d\n refresh 1d\n}", "", ""},
	})
}

// TestCleartext: URLs to which secrets would be sent unencrypted over public networks are refused
// (finding D13).
func TestCleartext(t *testing.T) {
	l := newLoadTest(t)
	api := func(url string) string { return goodApp + " {\n api " + url + "\n}" }
	component := func(url string) string {
		return "app wx1111111111111111 {\n component wx2222222222222222 " + url + "\n}"
	}
	const refused = "only accepted for loopback and private addresses"
	var mistakes []mistake
	for url, want := range map[string]string{
		"http://api.weixin.qq.com": refused, "http://8.8.8.8:80": refused, "http://[2001:4860::1]/": refused,
		"http://localhost.example.com": refused, "http://10.0.0.1.nip.io": refused, "http://[::ffff:8.8.8.8]": refused,
		"https://api.weixin.qq.com": "", "http://127.0.0.1:9901": "", "http://[::1]:1": "", "http://10.1.2.3": "",
		"http://192.168.0.7": "", "http://172.16.0.1": "", "http://[fd00::1]": "", "http://localhost": "",
		"http://sim:9901": "", "http://sim.default.svc.cluster.local": "", "http://proxy.internal": "",
	} {
		mistakes = append(mistakes, mistake{"api " + url, api(url), want, ""}, mistake{"component " + url, component(url), want, ""})
	}
	l.wantMistakes(mistakes)
}

// TestProvisionErrors: an error names the cause and its line. It mentions the global block only
// if the block is missing (finding A10).
func TestProvisionErrors(t *testing.T) {
	l := newLoadTest(t)
	const missing = "needs the global wxgate block"
	for global, want := range map[string]string{
		"app wx1111111111111111":                      "app wx1111111111111111: secret is empty",
		goodApp + "\n\n\n app wx2222222222222222":     ", at Caddyfile:15",
		goodApp + "\n secret {env.WXGATE_TEST_SHORT}": ", at Caddyfile:10",
	} {
		_, err := l.validate(global, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), missing) {
			t.Errorf("want %q, got: %v", want, err)
		}
	}
	// JSON has no lines, and the lines of the previous Caddyfile are forgotten.
	const handler = `{"admin":{"disabled":true},"apps":{%s"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"wxgate"}]}]}}}}}`
	_, err := l.validateJSON([]byte(strings.Replace(handler, "%s", "", 1)))
	if err == nil || !strings.Contains(err.Error(), "the wxgate handler "+missing) {
		t.Errorf("without the block: %v", err)
	}
	_, err = l.validateJSON([]byte(strings.Replace(handler, "%s", `"wxgate":{"apps":[{"appid":"wx1111111111111111"}]},`, 1)))
	if err == nil || strings.Contains(err.Error(), missing) || strings.Contains(err.Error(), "Caddyfile:") {
		t.Errorf("from JSON: %v", err)
	}
}

// TestBoltPath: a path of store bolt that is a directory, or in a folder that does not exist, is
// an error that names it. Nothing is created (finding A13).
func TestBoltPath(t *testing.T) {
	f := newOperatedFixture(t)
	f.refusedTo([]string{"store", "check", f.dir}, f.dir+" is a directory: name a file in it, such as "+filepath.Join(f.dir, "wxgate.db"))
	missing := filepath.Join(f.dir, "volume")
	f.refusedTo([]string{"store", "check", filepath.Join(missing, "wxgate.db")}, "the folder "+missing+" does not exist")
	good := f.config
	f.config = strings.Replace(good, "wxgate.db", "volume/wxgate.db", 1)
	f.wantLoadError("the folder " + missing + " does not exist: create it, or fix the path")
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("the folder was created: %v", err)
	}
	f.config = strings.Replace(good, "/wxgate.db", "", 1)
	f.wantLoadError("is a directory: name a file in it")
}
