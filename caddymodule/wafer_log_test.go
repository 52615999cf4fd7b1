package caddymodule_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// waferLogFilter is the filter that docs/migration.md recommends for access logs: Caddy redacts
// Authorization, but not X-WX-Skey.
const waferLogFilter = `format filter {
			request>headers>X-Wx-Skey delete
			request>headers>X-Wx-Code delete
			request>headers>X-Wx-Encrypted-Data delete
			request>headers>X-Wx-Iv delete
		}`

// TestWaferLogs: with the documented filter, no log contains the secrets that the SDKs send.
// If requests are logged, a warning at load mentions the filter.
func TestWaferLogs(t *testing.T) {
	documented, err := os.ReadFile("../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(documented), waferLogFilter) {
		t.Error("docs/migration.md recommends another filter than this test uses")
	}
	f := newStoppedFixture(t, simConfig(), strings.NewReplacer(
		"persist_config off", "persist_config off\nlog {\noutput file {{.Dir}}/log\nlevel DEBUG\n}",
		"wxgate {\n\t\tcompat", "log {\noutput file {{.Dir}}/access\n"+waferLogFilter+"\n}\nwxgate {\n\t\tcompat",
		"admin unix/{{.Dir}}/admin.sock", "admin off",
	).Replace(waferSite))
	f.load()
	secrets := map[string]string{"the code": f.code("alice")}
	sealed, err := f.sim.Sim.EncryptProfile(wechatsim.User{Name: "alice"}, wechatsim.Profile{}, wechatsim.Sealing{SessionKey: rawKey})
	if err != nil {
		t.Fatal(err)
	}
	secrets["the profile"] = sealed.EncryptedData
	login := f.do("GET", waferLogin, "", "X-WX-Code", secrets["the code"])
	login.want(t, http.StatusOK, "")
	skey, _ := login.json(t)["session"].(map[string]any)["skey"].(string)
	secrets["the skey"] = skey
	f.do("GET", waferLogin, "", "X-WX-Code", f.code("alice"), "X-WX-Encrypted-Data", sealed.EncryptedData, "X-WX-IV", sealed.IV).want(t, http.StatusBadRequest, "decrypt_failed")
	f.do("GET", "/orders", "", "X-WX-Skey", skey).want(t, http.StatusOK, "")
	f.do("GET", "/orders", "", "X-WX-Skey", skey, "Authorization", "Bearer "+skey).want(t, http.StatusBadRequest, "invalid_request")
	f.stop()

	logs := map[string]string{}
	for _, name := range []string{"log", "access"} {
		b, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		logs[name] = string(b)
	}
	if n := strings.Count(logs["access"], `"handled request"`); n != 4 {
		t.Errorf("%d of 4 requests are in the access log", n)
	}
	if !strings.Contains(logs["log"], "access logs show the tokens of Wafer clients") {
		t.Error("no warning at load")
	}
	for what, secret := range secrets {
		for name, text := range logs {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in %s", what, name)
			}
		}
	}
}
