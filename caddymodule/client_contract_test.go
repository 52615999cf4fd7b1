package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

func clientContract(t *testing.T) *contract {
	t.Helper()
	text, err := os.ReadFile("../docs/client-api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return newContract(t, text)
}

// TestClientContract makes every call of docs/client-api.yaml to a running gateway, and compares
// requests and responses with the document. TestDocumentedCodes compares the errors.
func TestClientContract(t *testing.T) {
	f := newFixture(t, directiveSite("prefetch /boot\nweb {\nurl http://{{.Addr}}\nscan wx0000000000000001\nticket\n}", ""))
	c := clientContract(t)
	call := func(want int, method, path, body string, header ...string) response {
		t.Helper()
		a := f.do(method, path, body, header...)
		c.checkResponse(t, method, path, body, a, header...)
		if a.status != want {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return a
	}
	login := call(200, "POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")))
	bearer := []string{"Authorization", "Bearer " + login.str(t, "access_token")}
	handle := login.str(t, "session_key")

	phone, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	sealed := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, phone.EncryptedData, phone.IV, handle)
	call(200, "POST", pub+"/decode", sealed)
	call(200, "POST", pub+"/decode", sealed, bearer...)
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	call(200, "POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), bearer...)
	profile, err := f.sim.Sim.EncryptProfile(wechatsim.User{Name: "alice"}, wechatsim.Profile{NickName: "Band"}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	call(200, "POST", pub+"/userInfo", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q}`, profile.EncryptedData, profile.IV), bearer...)
	call(200, "GET", pub+"/session", "", bearer...)
	call(200, "POST", pub+"/prefetch-token", "", bearer...)
	call(200, "POST", pub+"/web/ticket", "", bearer...)
	scan := f.do("POST", pub+"/web/scan", "", "Origin", f.url)
	scan.want(t, 200, "")
	scanned := pub + "/web/scan/" + scan.str(t, "scan")
	call(200, "GET", scanned+"/request", "", bearer...)
	call(200, "POST", scanned, fmt.Sprintf(`{"confirm":true,"number":%q}`, scan.str(t, "number")), bearer...)
	call(200, "POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")))
	call(204, "POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+f.token("alice"))
	call(200, "POST", pub+"/revoke", `{"token":"nothing"}`)
	call(200, "GET", pub+"/live", "")
	call(200, "GET", pub+"/ready", "")
	call(200, "GET", "/.well-known/jwks.json", "")
	c.complete(t)
}

// checkResponse is check for a response of the client API.
func (c *contract) checkResponse(t *testing.T, method, path, body string, a response, header ...string) {
	t.Helper()
	sent := http.Header{}
	if body != "" {
		sent.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		sent.Set(header[i], header[i+1])
	}
	c.check(t, method, path, body, sent, a.status, a.header, []byte(a.body))
}

// TestClientContractCodes: the document has the error codes of docs/api.md, and no others.
func TestClientContractCodes(t *testing.T) {
	schema := clientContract(t).doc.Components.Schemas["Problem"].Value.Properties["code"].Value
	var documented, listed []string
	for _, code := range schema.Enum {
		documented = append(documented, code.(string))
	}
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range strings.Split(string(page), `<a id="code-`)[1:] {
		code, _, _ := strings.Cut(row, `"`)
		listed = append(listed, code)
	}
	slices.Sort(documented)
	slices.Sort(listed)
	if !slices.Equal(documented, listed) || len(listed) == 0 {
		t.Errorf("docs/client-api.yaml has %q, docs/api.md has %q", documented, listed)
	}
}
