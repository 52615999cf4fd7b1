package demo

import (
	"io"
	"text/template"
)

// Walkthrough is what `wxgate dev` prints. Its lines work in any POSIX shell, in this
// order: the first writes the response of the login to a file for the others.
type Walkthrough struct {
	Gateway, Management, Upstream, Dir string

	Playground string // the page's URL
	App        string // appid of the mini program that logs in
}

var walkthroughText = template.Must(template.New("walkthrough").Parse(`playground  {{.Playground}}

wxgate runs: gateway {{.Gateway}}, demo upstream {{.Upstream}}, WeChat simulator with its controls at {{.Management}}
Paste these lines one by one. Ctrl-C ends it all.

# 1. Alice logs in. The simulator gives the code that wx.login would.
curl -sS {{.Gateway}}/v1.0/pub/openId -d "{\"appid\":\"{{.App}}\",\"code\":\"$(curl -sS '{{.Management}}/code?openid=alice')\"}" | tee {{.Dir}}/login.json; echo

# 2. Her phone number, the old way: encrypted data and the session_key of line 1, which is not WeChat's.
curl -sS {{.Gateway}}/v1.0/pub/decode -d "{\"session_key\":\"$(sed 's/.*"session_key":"\([^"]*\)".*/\1/' {{.Dir}}/login.json)\",$(curl -sS '{{.Management}}/encrypted-phone?openid=alice' | tr -d '{')"; echo

# 3. Her phone number, the new way: a phone code and the access token of line 1.
curl -sS {{.Gateway}}/v1.0/pub/decode -H "Authorization: Bearer $(sed 's/.*"access_token":"\([^"]*\)".*/\1/' {{.Dir}}/login.json)" -d "{\"code\":\"$(curl -sS '{{.Management}}/phone-code?openid=alice')\"}"; echo

# 4. She calls the business API, which sees who is calling, whatever she claims to be.
curl -sS {{.Gateway}}/api/orders -H "Authorization: Bearer $(sed 's/.*"access_token":"\([^"]*\)".*/\1/' {{.Dir}}/login.json)" -H 'X-WX-OPENID: mallory'

# 5. Without a token nobody gets in: 401.
curl -sS -i {{.Gateway}}/api/orders -H 'X-WX-OPENID: alice'; echo

# 6. The public keys, for any JWT library.
curl -sS {{.Gateway}}/.well-known/jwks.json; echo
`))

// Print writes the lines.
func (w Walkthrough) Print(out io.Writer) error { return walkthroughText.Execute(out, w) }
