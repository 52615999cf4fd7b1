package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// securedApp is theApp with API security; MORE is replaced by further options. The keys are in
// files that [fixture.secure] writes.
const securedApp = `app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
			api_security {
				encrypt fa05fe1e5bcc79b81ad5ad4b58acf787 {file.{{.Dir}}/wx_encrypt.key}
				sign    97845f6ed842ea860df6fdf65941ff56 {file.{{.Dir}}/wx_sign.pem}
				verify  79ba700ea147819f640941bceb38b1d1 {file.{{.Dir}}/wx_verify.pem}
				MORE
			}
		}`

// securedSites has a login API, metrics and wxgate_openapi.
const securedSites = `http://{{.Addr}} {
	handle /v1.0/* {
		wxgate
	}
	handle /metrics {
		metrics
	}
	handle {
		wxgate_openapi
	}
}`

func securedSite(more string) string {
	return strings.Replace(siteWith{global: "metrics\n\t" + logTo("DEBUG"), apps: securedApp, sites: securedSites}.String(), "MORE", more, 1)
}

// secure makes the simulator require signed calls, with keys from WeChat's documentation, and
// writes the files of the keys.
func (f *fixture) secure() {
	f.t.Helper()
	private, err := os.ReadFile("../internal/wechat/apisecurity/testdata/private.pem")
	if err != nil {
		f.t.Fatal(err)
	}
	shown, err := f.sim.Sim.Secure(wechatsim.DefaultApp.ID, apisecurity.Keys{
		Encrypt: apisecurity.Key{Serial: "fa05fe1e5bcc79b81ad5ad4b58acf787", Value: "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY="},
		Sign:    apisecurity.Key{Serial: "97845f6ed842ea860df6fdf65941ff56", Value: string(private)},
		Verify:  apisecurity.Key{Serial: "79ba700ea147819f640941bceb38b1d1", Value: string(private)},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.writeKey("wx_encrypt.key", shown.Encrypt.Value+"\n")
	f.writeKey("wx_sign.pem", shown.Sign.Value)
	f.writeKey("wx_verify.pem", shown.Verify[0].Value)
}

func (f *fixture) writeKey(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// checkMessage calls checkencryptedmsg as a service does.
func (f *fixture) checkMessage() response {
	f.t.Helper()
	return f.do("POST", "/wxa/business/checkencryptedmsg", `{"encrypted_msg_hash":"`+strings.Repeat("0", 64)+`"}`)
}

// wantCount fails the test unless the counter of an outcome of encrypted calls grew by n.
func (f *secured) wantCount(outcome string, n int) {
	f.t.Helper()
	want := fmt.Sprintf("\nwxgate_wechat_api_security_total{app=%q,outcome=%q} ", wechatsim.DefaultApp.ID, outcome)
	before := f.counted[outcome]
	_, rest, found := strings.Cut(f.do("GET", "/metrics", "").body, want)
	var now int
	if found {
		_, _ = fmt.Sscan(rest, &now)
	}
	if now-before != n {
		f.t.Errorf("%s was counted %d times, want %d", outcome, now-before, n)
	}
	f.counted[outcome] = now
}

// TestAPISecurity logs in, decodes a phone number and makes a service's call with API security.
// Then WeChat changes its certificate, and the gateway gets the new one without a restart.
func TestAPISecurity(t *testing.T) {
	f := &secured{fixture: newStoppedFixture(t, simConfig(), securedSite("")), counted: map[string]int{}}
	f.secure()
	f.load()
	f.phoneToken("alice")
	a := f.checkMessage()
	a.want(t, http.StatusOK, "")
	if !strings.HasPrefix(a.body, `{"errcode":1,`) || strings.Contains(a.body, "_appid") {
		t.Errorf("the service got %s", a.body)
	}
	f.wantCount("verified", 2)

	// WeChat begins to sign with the next certificate.
	next := apisecurity.Key{Serial: "0000000000000000000000000000000b", Value: f.read("wx_sign.pem")}
	during, err := f.sim.Sim.ChangeCertificate(wechatsim.DefaultApp.ID, next)
	if err != nil {
		t.Fatal(err)
	}
	f.checkMessage().want(t, http.StatusOK, "")
	f.wantCount("deprecated", 1)
	f.writeKey("next.pem", during.Verify[0].Value)
	f.config = securedSite("verify 0000000000000000000000000000000b {file.{{.Dir}}/next.pem}")
	f.load()
	f.checkMessage().want(t, http.StatusOK, "")
	f.wantCount("verified", 1)
	if _, err := f.sim.Sim.ChangeCertificate(wechatsim.DefaultApp.ID, next); err != nil {
		t.Fatal(err)
	}
	f.checkMessage().want(t, http.StatusOK, "")
	f.wantCount("verified", 1)

	// The old certificate alone no longer verifies responses.
	f.config = securedSite("")
	f.load()
	f.checkMessage().want(t, http.StatusBadGateway, "wechat_unreadable")
	f.wantCount("serial", 1)
	log := f.read("log")
	for _, want := range []string{"WeChat replaces its certificate", `"serial":"79ba700ea147819f640941bceb38b1d1"`, `"outcome":"serial"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not have %s", want)
		}
	}
	for _, never := range []string{"otUpngOjU", "BEGIN RSA", "10012345678"} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %s: %s", never, excerpt(log, never))
		}
	}
}

// secured is a fixture with the last values of the counters, which the tests of this process
// share.
type secured struct {
	*fixture

	counted map[string]int
}

// read returns a file of the fixture.
func (f *fixture) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// TestDocumentedAPISecurity uses the Caddyfile of docs/wechat.md.
func TestDocumentedAPISecurity(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), strings.ReplaceAll(guideCaddyfile(t, "wechat.md", "## Signed and encrypted calls"), "/etc/wxgate", "{{.Dir}}"))
	f.secure()
	f.load()
	f.phoneToken("alice")
	if got := f.sim.Sim.Requests("/wxa/business/getuserphonenumber"); len(got) != 1 || !strings.HasPrefix(got[0].Body, `{"iv":`) {
		t.Errorf("WeChat received %+v", got)
	}
}

// TestAPISecurityFaults forges responses of WeChat in every way. Neither clients nor services get
// them, and the error does not reveal what was wrong.
func TestAPISecurityFaults(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), securedSite(""))
	f.secure()
	f.load()
	token := f.token("alice")
	for _, spoil := range apisecurity.Spoils() {
		f.sim.Sim.ClearFaults()
		if err := f.sim.Sim.Arm(fault.Fault{Kind: fault.Kind(spoil)}); err != nil {
			t.Fatal(err)
		}
		own := f.decodeCode(f.phoneCode("alice"), token)
		service := f.do("POST", "/wxa/business/getuserphonenumber", fmt.Sprintf(`{"code":%q}`, f.phoneCode("alice")))
		for _, a := range []response{own, service} {
			a.want(t, http.StatusBadGateway, "wechat_unreadable")
			if strings.Contains(a.body, "phone_info") || strings.Contains(a.body, string(spoil)) {
				t.Errorf("%s: %s", spoil, a.body)
			}
		}
	}
	f.sim.Sim.ClearFaults()
	a := f.do("POST", "/wxa/business/checkencryptedmsg", "a=1")
	a.want(t, http.StatusBadRequest, "invalid_request")
	if !strings.Contains(a.body, "one JSON object") {
		t.Errorf("a form: %s", a.body)
	}
}

// TestAPISecurityMistakes: invalid keys are refused at load. The error names the option, and does
// not contain the key.
func TestAPISecurityMistakes(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"no file":        {"wx_verify.pem", "", "the key of verify is empty"},
		"not a key":      {"wx_sign.pem", "SECRETTEXT", "api_security: sign: the key is not in PEM"},
		"not AES-256":    {"wx_encrypt.key", "U0VDUkVUVEVYVA==", "api_security: encrypt: the key is not base64 of an AES-256 key"},
		"a key to check": {"wx_verify.pem", "wx_sign.pem", "api_security: verify 79ba700ea147819f640941bceb38b1d1: neither a certificate nor"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStoppedFixture(t, simConfig(), securedSite(""))
			f.secure()
			if test.text == "wx_sign.pem" {
				test.text = f.read("wx_sign.pem")
			}
			f.writeKey(test.file, test.text)
			err := f.tryLoad()
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "app wx0000000000000001") {
				t.Errorf("%v; want %q", err, test.want)
			}
			if err != nil && test.text != "" && strings.Contains(err.Error(), test.text) {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}
