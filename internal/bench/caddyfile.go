package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/wxgate/wxgate/internal/demo"
)

// site is the Caddyfile of one server that is measured. The site has no host, so that requests
// need no matcher. Except for a stock Caddy, which is measured unchanged, the transport keeps
// as many idle connections as wxgate's default: otherwise the server without wxgate would be
// slower because of new connections to the upstream.
type site struct {
	Guarded, Standard, Stock bool
	Port                     int
	Upstream                 string
}

const idleConns = 512

var siteTemplate = template.Must(template.New("Caddyfile").Parse(`{
	admin off
	persist_config off
	default_bind 127.0.0.1
{{- if .Guarded}}
	wxgate {
		app {env.WX_APPID} {env.WX_SECRET} {
			api {env.WX_API}
		}
{{- if .Standard}}
		transport standard
{{- end}}
	}
{{- end}}
}
http://:{{.Port}} {
{{- if .Guarded}}
	wxgate
{{- end}}
	reverse_proxy {{.Upstream}}
{{- if not (or .Guarded .Stock)}} {
		transport http {
			keepalive_idle_conns_per_host ` + fmt.Sprint(idleConns) + `
		}
	}
{{- end}}
}
`))

func (s site) caddyfile() (string, error) {
	var text bytes.Buffer
	if err := siteTemplate.Execute(&text, s); err != nil {
		return "", fmt.Errorf("writing a Caddyfile: %w", err)
	}
	return text.String(), nil
}

// exampleAnchor is a line of Caddyfile.example after which a global option can be inserted.
const exampleAnchor = "\tpersist_config off\n"

// exampleCaddyfile returns the shipped Caddyfile.example, but on loopback only. Its other
// addresses are variables.
func exampleCaddyfile() (string, error) {
	text := string(demo.Caddyfile)
	if !strings.Contains(text, exampleAnchor) {
		return "", errors.New("internal/demo/Caddyfile.example has no line persist_config off")
	}
	return strings.Replace(text, exampleAnchor, exampleAnchor+"\tdefault_bind 127.0.0.1\n", 1), nil
}
