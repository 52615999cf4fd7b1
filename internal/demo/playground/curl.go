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

// jar is where the commands of a browser keep its cookies. The commands of one shell share it.
const jar = `: "${jar:=$(mktemp)}"` + "\n"

// curlBrowser begins a command that has the cookies of a browser and keeps what it gets.
const curlBrowser = `curl -sS -i -b "$jar" -c "$jar" `

// agentOf is the option that makes curl the browser of a door: the gateway picks the login by
// it.
func agentOf(w *window) string { return " \\\n  -A " + quoted(agents[w.Door]) }

// curlVisit returns the command that opens a page and follows redirects as a browser does.
func curlVisit(w *window, page string) string {
	return jar + curlBrowser + "-L " + quoted(page) + agentOf(w) + " \\\n  -H 'Sec-Fetch-Mode: navigate'"
}

// curlAllow returns the commands that get to WeChat's page and allow the login there.
func (p *Playground) curlAllow(w *window) string {
	login := `page=$(curl -sS -o /dev/null -w '%{redirect_url}' -b "$jar" -c "$jar" ` + quoted(p.loginURL(w.Door)) + ")\n"
	return jar + login + curlBrowser + `-L "${page%#*}&user=` + w.User + `"`
}

// curlTicket returns the commands that get a ticket and log in with it.
func curlTicket(page string, c call) string {
	command := strings.TrimPrefix(curl(c), "curl -sS -i ")
	return jar + "url=$(curl -sS " + command + " |\n  sed 's/.*\"url\":\"\\([^\"]*\\).*/\\1/')\n" +
		curlBrowser + `-L "$url&return=` + page + `"`
}

// curlPage returns the command that sends a request of a page of the gateway.
func curlPage(c call) string {
	c.header = http.Header{"Origin": c.header["Origin"]}
	return jar + strings.Replace(curl(c), "curl -sS -i ", curlBrowser, 1)
}

// quoted quotes a word for a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
