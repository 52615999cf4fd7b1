package playground

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// plain are headers of the phone that change nothing for the gateway. The commands are short
// without them.
var plain = []string{"User-Agent", "Referer"}

// curl returns the command that sends a request.
func curl(c call) string { return curlBody(c, quoted(c.body)) }

// curlWith returns the two commands that fetch a value at the simulator, which is used once,
// and send a request with it instead of the value that its body has.
func curlWith(name, from string, c call, value string) string {
	body := strings.ReplaceAll(quoted(c.body), value, `'"$`+name+`"'`)
	return fmt.Sprintf("%s=$(curl -sS %s)\n%s", name, quoted(from), curlBody(c, body))
}

// curlEncrypted is curlWith for encrypted data, an object that becomes part of the body.
func curlEncrypted(from string, c call, handle string) string {
	body := quoted(`{"session_key":"`+handle+`",`) + `"${data#?}"`
	return fmt.Sprintf("data=$(curl -sS %s)\n%s", quoted(from), curlBody(c, body))
}

// curlBody returns the command with a body that is quoted.
func curlBody(c call, body string) string {
	var b strings.Builder
	b.WriteString("curl -sS -i ")
	if c.from == Operator {
		b.WriteString("--unix-socket " + quoted(c.socket) + " ")
	}
	if c.method != http.MethodGet && c.body == "" {
		b.WriteString("-X " + c.method + " ")
	}
	if c.stream {
		b.WriteString("-N --max-time 5 ")
	}
	b.WriteString(quoted(c.url))
	var names []string
	for name := range c.header {
		if !slices.Contains(plain, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " \\\n  -H %s", quoted(name+": "+c.header[name][0]))
	}
	if c.body != "" {
		fmt.Fprintf(&b, " \\\n  -d %s", body)
	}
	return b.String()
}

// quoted quotes a word for a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
