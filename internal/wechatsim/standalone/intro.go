package standalone

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// An Intro is what `wxgate sim` prints: where the simulator is, and how to use it.
type Intro struct {
	API, Controls string // URLs without a slash at the end
	Public        bool   // other machines reach the API
	Proxy, CA     string // URL of the proxy and file of its CA; empty: no proxy
	Setup         Setup
}

var introText = template.Must(template.New("intro").Parse(`
wxgate sim runs. Ctrl-C ends it. Nothing is kept.

api       {{.API}}
controls  {{.Controls}}/
{{- if .Proxy}}
proxy     {{.Proxy}}
ca        {{.CA}}
{{- end}}
{{- if .Public}}

Other machines reach the API, or the proxy. Use no real secret with it.
The controls are for this machine only.
{{- end}}

{{.Apps}}
users: {{.Users}}

Open the controls in a browser, or list their calls with
curl -sS {{.Controls}}/

An SDK calls https://api.weixin.qq.com. Set its base URL to
{{.API}}
docs/sim.md has the option of each SDK.
{{- if .Proxy}}

Or leave its URLs as they are. A service in Go:
HTTPS_PROXY={{.Proxy}} SSL_CERT_FILE={{.CA}} go run .
docs/sim.md has the lines for Node, Python, PHP and Java.
{{- else}}
If an SDK has none, use --proxy.
{{- end}}
{{- with .First}}

A login of {{.User}}, in two lines:
code=$(curl -sS '{{$.Controls}}/code?appid={{.App.ID}}&user={{.User}}')
curl -sS "{{$.API}}/sns/jscode2session?appid={{.App.ID}}&secret={{.App.Secret}}&js_code=$code&grant_type=authorization_code"; echo
{{- end}}
`))

// A login is a user of an app on WeChat.
type login struct {
	App  wechatsim.App
	User string
}

// Print writes the introduction.
func (i Intro) Print(out io.Writer) error {
	var apps strings.Builder
	table := tabwriter.NewWriter(&apps, 0, 0, 2, ' ', 0) //nolint:mnd // two columns of space
	_, _ = fmt.Fprintln(table, "PLATFORM\tKIND\tAPPID\tSECRET\tAPI")
	for _, app := range i.Setup.Apps {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", platformOf(app), cmp.Or(string(app.Kind), "miniprogram"), app.ID, app.Secret, i.API+app.Platform.Prefix())
	}
	_ = table.Flush() // a Builder takes all
	return introText.Execute(out, map[string]any{
		"API": i.API, "Proxy": i.Proxy, "CA": i.CA, "Controls": i.Controls, "Public": i.Public, "Apps": apps.String(),
		"Users": strings.Join(i.Setup.names(), ", "), "First": i.Setup.first(),
	})
}

// platformOf returns the platform of an app, which is WeChat if it has none.
func platformOf(app wechatsim.App) wechatsim.Platform {
	if app.Platform == "" {
		return wechatsim.WeChat
	}
	return app.Platform
}

// names are the names of the users, each once.
func (s Setup) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, u := range s.users {
		if !seen[u.User] {
			seen[u.User] = true
			names = append(names, u.User)
		}
	}
	return names
}

// first returns the first user of an app on WeChat, or nil.
func (s Setup) first() *login {
	for _, u := range s.users {
		for _, app := range s.Apps {
			if platformOf(app) == wechatsim.WeChat && app.Kind == wechatsim.MiniProgram && (u.AppID == "" || u.AppID == app.ID) {
				return &login{App: app, User: u.User}
			}
		}
	}
	return nil
}
