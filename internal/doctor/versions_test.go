package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/doctor"
)

// TestVersions has different servers at the address of the admin API.
func TestVersions(t *testing.T) {
	own := doctor.Build{Wxgate: "0.2.0 (df82ebd4f1c2)", Caddy: "v2.11.9", Go: "go1.26.0"}
	running := func(wxgate, caddy, goVersion string) string {
		return fmt.Sprintf(`{"version":%q,"caddy":%q,"go":%q,"apps":[]}`, wxgate, caddy, goVersion)
	}
	for name, test := range map[string]struct {
		code   int
		body   string
		status doctor.Status
		text   string
	}{
		"this binary":          {200, running(own.Wxgate, own.Caddy, own.Go), doctor.OK, "the running gateway is this binary: wxgate 0.2.0 (df82ebd4f1c2), Caddy v2.11.9, go1.26.0"},
		"older":                {200, running("0.1.0", own.Caddy, own.Go), doctor.Warning, "another version of wxgate: it is wxgate 0.1.0, Caddy v2.11.9, go1.26.0; this is wxgate 0.2.0 (df82ebd4f1c2), Caddy v2.11.9, go1.26.0. Restart the gateway"},
		"another commit":       {200, running("0.2.0 (000000000000)", own.Caddy, own.Go), doctor.Warning, "another version of wxgate: "},
		"another Caddy":        {200, running(own.Wxgate, "v2.12.0", own.Go), doctor.Warning, "another version of Caddy: "},
		"another Go":           {200, running(own.Wxgate, own.Caddy, "go1.27.0"), doctor.Warning, "another version of Go: "},
		"all others":           {200, running("0.1.0", "v2.10.0", "go1.25.0"), doctor.Warning, "another version of wxgate and Caddy and Go: "},
		"without Caddy's":      {200, `{"version":"0.1.0","go":"go1.26.0"}`, doctor.Warning, "another version of wxgate and Caddy: it is wxgate 0.1.0, Caddy unknown, go1.26.0; "},
		"another Caddy server": {404, "{}", doctor.Failed, "returned 404 Not Found for its status. If it is another Caddy, stop it"},
		"not serving":          {503, "{}", doctor.Failed, "returned 503 Service Unavailable for its status. "},
		"another server":       {200, "<html>", doctor.Failed, "is not wxgate. Stop it"},
		"another JSON":         {200, `{"status":"up"}`, doctor.Failed, "is not wxgate. Stop it"},
		"endless":              {200, strings.Repeat(" ", 2<<20) + running("0.1.0", "", ""), doctor.Failed, "is not wxgate. Stop it"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = w.Write([]byte(test.body))
			}))
			t.Cleanup(server.Close)
			want(t, doctor.Versions(t.Context(), transport(t), server.URL, own), test.status, test.text)
		})
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	want(t, doctor.Versions(t.Context(), transport(t), server.URL, own), doctor.NotChecked, "this is wxgate 0.2.0 (df82ebd4f1c2), Caddy v2.11.9, go1.26.0; no gateway responds: ")
}
