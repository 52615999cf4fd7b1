package demo

import (
	"io"
	"text/template"
)

// Walkthrough is what `wxgate dev` prints, in at most 80 columns. Its curl lines work in any
// shell, in this order.
type Walkthrough struct {
	Playground, Gateway, Simulator, Management, Upstream string // addresses

	Own  bool // the upstream is the user's service
	Down bool // which does not respond yet
}

// Path is what the lines call, which any service has.
func (w Walkthrough) Path() string {
	if w.Own {
		return "/"
	}
	return "/api/orders"
}

var walkthroughText = template.Must(template.New("walkthrough").Parse(`playground  http://{{.Playground}}/
{{if .Own}}your service http://{{.Upstream}}/{{if .Down}}  does not respond yet; start it{{end}}
{{end}}
Open it in a browser, or paste these lines into another terminal, one by one.
The page shows what they do, too. Ctrl-C ends everything.

# 1. Alice logs in: her code becomes an openid and tokens.
curl -d user=alice {{.Playground}}/sh/login

# 2. She calls {{if .Own}}your service; set path to one that it has. It gets her openid.{{else}}the API. The upstream gets her openid in a header.{{end}}
curl -d path={{.Path}} {{.Playground}}/sh/call

# 3. She claims to be mallory. The upstream doesn't see it.
curl -d path={{.Path}} -d forge=yes {{.Playground}}/sh/call

# 4. This path requires a phone number: 403.
curl -d path=/vip/orders {{.Playground}}/sh/call

# 5. She shares her number, and may call it.{{if .Own}} A 404 is from your service.{{end}}
curl -d way=code {{.Playground}}/sh/phone
curl -d path=/vip/orders {{.Playground}}/sh/call

# 6. Her access token is renewed.
curl -d user=alice {{.Playground}}/sh/refresh

# 7. She logs out. The next call is refused: 401.
curl -d user=alice {{.Playground}}/sh/logout
curl -d path={{.Path}} {{.Playground}}/sh/call

web login   http://{{.Gateway}}{{.Path}}
gateway     http://{{.Gateway}}
upstream    http://{{.Upstream}}
simulator   http://{{.Simulator}}
controls    http://{{.Management}}
`))

// Print writes the lines.
func (w Walkthrough) Print(out io.Writer) error { return walkthroughText.Execute(out, w) }
