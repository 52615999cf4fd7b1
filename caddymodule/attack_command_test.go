package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack"
)

// attackCommand runs `wxgate attack` and returns what it printed.
func attackCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newCommand(t, "attack")
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// commandFlags returns the arguments for attacking the gateway. It stops the echo of the
// test, because the command starts its own.
func (a *attacked) commandFlags(more ...string) []string {
	a.t.Helper()
	if err := a.echo.Close(); err != nil {
		a.t.Fatal(err)
	}
	return append([]string{a.target.URL, "--insecure", "--upstream", a.echo.Addr}, more...)
}

// TestAttackCommand: no attack on wxgate succeeds, and the reports show it.
func TestAttackCommand(t *testing.T) {
	a := newAttacked(t, attackGate, "")
	jsonFile, junitFile := filepath.Join(t.TempDir(), "a.json"), filepath.Join(t.TempDir(), "a.xml")
	out, err := attackCommand(t, a.commandFlags(
		"--code-url", a.target.CodeURL, "--signing-key", filepath.Join(a.dir, "key.pem"),
		"--mechanisms", "several,errors,early", "--json", jsonFile, "--junit", junitFile)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"several/list ", "RFC 6750 section 2", "blocked (h1 h2 h3)", "Several tokens in one request"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q:\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x00\r\x1b") {
		t.Error("the table has control characters")
	}
	var findings []attack.Finding
	text, err := os.ReadFile(jsonFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &findings); err != nil || len(findings) == 0 {
		t.Errorf("%d findings in JSON: %v", len(findings), err)
	}
	if suites := readJUnit(t, junitFile); len(suites) != 3 || suites[0].Tests == 0 || slices.ContainsFunc(suites, func(s junitSuite) bool { return s.Failures+s.Errors > 0 }) {
		t.Errorf("JUnit: %+v", suites)
	}
}

type junitSuite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
}

func readJUnit(t *testing.T, file string) []junitSuite {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Suites []junitSuite `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report.Suites
}

// TestAttackCommandFails: the command fails if an attack succeeds, and names the attack.
func TestAttackCommandFails(t *testing.T) {
	a := newAttacked(t, weakGate("several"), "")
	a.weaken()
	junitFile := filepath.Join(t.TempDir(), "a.xml")
	out, err := attackCommand(t, a.commandFlags("--token", a.target.Token, "--mechanisms", "several", "--protocols", "h1,h3", "--junit", junitFile)...)
	if err == nil || !strings.Contains(out, "SUCCEEDED (h1 h3)") || !strings.Contains(out, "SUCCEEDED: several/list over h1: the upstream got") {
		t.Errorf("%v\n%s", err, out)
	}
	if suites := readJUnit(t, junitFile); len(suites) != 1 || suites[0].Failures == 0 {
		t.Errorf("JUnit: %+v", suites)
	}
}

// TestAttackCommandRefuses: wrong arguments, targets that must not be attacked and inconclusive
// runs are errors.
func TestAttackCommandRefuses(t *testing.T) {
	dead, upstream := "http://"+freeAddr(t), freeAddr(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no url":             {nil, "accepts 1 arg"},
		"not a url":          {[]string{"localhost", "--token", "x"}, "write http://host:port"},
		"not loopback":       {[]string{"https://192.0.2.1", "--token", "x"}, "only loopback targets are attacked"},
		"a name":             {[]string{"https://example.com", "--token", "x"}, "only loopback targets are attacked"},
		"echo not loopback":  {[]string{dead, "--token", "x", "--upstream", "0.0.0.0:0"}, "loopback only"},
		"no token":           {[]string{dead}, "set --token, --code-url, --code or --cookie"},
		"no value":           {[]string{dead, "--cookie", "__Host-wxgate"}, "expected name=value"},
		"no cookie":          {[]string{dead, "--token", "x", "--mechanisms", "csrf"}, "csrf attacks browser sessions: set --cookie"},
		"a cookie":           {[]string{dead, "--cookie", "wxgate=wxc_x"}, "inconclusive"},
		"unknown protocol":   {[]string{dead, "--token", "x", "--protocols", "h4"}, "expected one of: h1, h2, h3"},
		"unknown mechanism":  {[]string{dead, "--token", "x", "--mechanisms", "magic"}, `unrecognized "magic"`},
		"no signing key":     {[]string{dead, "--token", "x", "--signing-key", "/nonexistent"}, "reading the signing key"},
		"no gateway":         {[]string{dead, "--token", "x"}, "inconclusive"},
		"nothing applicable": {[]string{dead, "--token", "x", "--protocols", "h2"}, "no attack was applicable"},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if name != "echo not loopback" {
				args = append(slices.Clone(args), "--upstream", upstream)
			}
			out, err := attackCommand(t, args...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q\n%s", err, test.want, out)
			}
		})
	}
}
