package playground

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
	"github.com/wxgate/wxgate/internal/demo/service"
)

const (
	// columns is the width of a terminal.
	columns = 80
	// indent is before what belongs to a hop.
	indent = "    "
	// detail is the member of a refusal that says what to do. It is wrapped, not cut.
	detail = `  "detail": "`
)

// serveTerminal is POST /sh/{action}: an action for a terminal. The form has the fields of
// a command, alice and the first mini program by default. The response is text: what
// happened, hop by hop. The page shows it too.
func (p *Playground) serveTerminal(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("action")
	switch {
	case !slices.Contains(terminalActions, name):
		http.Error(w, fmt.Sprintf("unrecognized action %q; expected one of: %s", name, strings.Join(terminalActions, ", ")), http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "send a POST, for example with curl -d user=alice", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxCommand)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the body must be a form, as curl -d sends it", http.StatusBadRequest)
		return
	}
	c := command{App: p.config.Apps[0].ID, User: users[0], Path: ordersPath}
	for field, values := range r.PostForm {
		switch value := values[0]; field {
		case "user":
			c.User = value
		case "path":
			c.Path = value
		case "way":
			c.Way = value
		case "forge":
			c.Forge = value != ""
		default:
			http.Error(w, fmt.Sprintf("unrecognized field %q; expected one of: user, path, way, forge", field), http.StatusBadRequest)
			return
		}
	}
	a, ok := p.do(w, r, name, c)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if a.Error != "" {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, a.Error+"\n") // the client has gone
		return
	}
	for _, m := range p.recorder.messages(a.ID) {
		m.print(w)
	}
	if notice := a.notice(r.Host); notice != "" {
		line(w, "\nNotice: %s", notice)
	}
}

// notice is the one thing to see in what an action printed.
func (a *action) notice(host string) string {
	switch {
	case a.Code == "missing_token":
		return fmt.Sprintf("log in first: curl -d user=%s %s/sh/login", a.Args.User, host)
	case a.Code == service.CodeDown:
		return "the upstream is your service. Start it, then call again."
	case a.Name == "login" && a.Status == http.StatusOK:
		return "session_key is a handle. WeChat's session_key stays in the gateway."
	case a.Args.Forge:
		return fmt.Sprintf("the phone sent %s: %s. The upstream did not get it.", forgedName, forgedValue)
	}
	return ""
}

// terminalActions are the actions of the phone that need no page.
var terminalActions = []string{"login", "call", "phone", "refresh", "logout"}

// print writes a message: its line, the headers that matter and, of what the phone gets and
// sends, the body.
func (m message) print(w io.Writer) {
	line(w, "%-8s → %-8s  %s", m.From, m.To, m.Line)
	for _, h := range m.Headers {
		if m.Reply || h.Mark == "" && !strings.HasPrefix(strings.ToUpper(h.Name), "X-WX-") {
			continue
		}
		line(w, indent+"%-8s  %s: %s", h.Mark, h.Name, h.Value)
	}
	if m.From == Phone || m.To == Phone {
		for text := range strings.Lines(pretty(m.Body)) {
			text = strings.TrimRight(text, "\r\n")
			if strings.HasPrefix(text, detail) {
				text = describe.Wrapped(text, columns-len(indent))
			}
			for part := range strings.SplitSeq(text, "\n") {
				line(w, indent+"%s", part)
			}
		}
	}
}

// pretty returns a body with one member on a line, if it is JSON.
func pretty(body string) string {
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(body), "", "  ") != nil {
		return body
	}
	return indented.String()
}

// line writes a line. What is beyond the width is cut: tokens have hundreds of characters.
func line(w io.Writer, format string, args ...any) {
	text := []rune(fmt.Sprintf(format, args...))
	if len(text) > columns {
		text = append(text[:columns-1], '…')
	}
	_, _ = io.WriteString(w, string(text)+"\n") // the client has gone
}
