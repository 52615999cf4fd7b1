package playground

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// AttackSite returns the site of a Caddyfile that has the routes of the corpus, at a port of
// the loopback interface, in front of an echo. Attackers log in to one mini program.
func AttackSite(port, appid, echo string) string {
	routes := strings.ReplaceAll(corpus.Caddyfile, "<the echo>", echo)
	routes = strings.Replace(routes, "wxgate {\n", "wxgate {\napp "+appid+"\n", 1)
	return "\nhttp://:" + port + " {\nbind 127.0.0.1" + routes + "}\n"
}

// attackInfo is an attack in the list of the page.
type attackInfo struct {
	ID         string   `json:"id"`
	Advisories []string `json:"advisories"`
	Request    string   `json:"request"`
}

// attackResult is the outcome of an attack.
type attackResult struct {
	Verdict  attack.Verdict `json:"verdict"`
	Reason   string         `json:"reason,omitempty"`
	Sent     string         `json:"sent,omitempty"`
	Response string         `json:"response,omitempty"`
	Reached  string         `json:"reached,omitempty"` // what the upstream got
}

// target is the site that is attacked, by a separate user.
func (p *Playground) target() *corpus.Target {
	mallory := account{App: p.config.Apps[0].ID, OpenID: forgedValue}
	t := &corpus.Target{URL: p.config.Attacked, CodeURL: p.config.Management + "/code?" + mallory.person(nil)}
	t.Defaults()
	return t
}

// overH1 reports whether the page can fire an attack: the gateway has no TLS here.
func overH1(a *corpus.Attack) bool { return a.Over(wire.H1) && !a.Request.Early }

// serveAttacks is GET /attacks/{mechanism}: those that the page can fire.
func (p *Playground) serveAttacks(w http.ResponseWriter, r *http.Request) {
	out := []attackInfo{}
	attacks := corpus.Corpus(p.target())
	for i := range attacks {
		if a := &attacks[i]; overH1(a) && a.Mechanism.Name == r.PathValue("mechanism") {
			out = append(out, attackInfo{a.ID, a.CVEs(), a.Request.String()})
		}
	}
	writeJSON(w, out)
}

// fire sends one attack of the corpus, after the controls that show that the attacked route
// works.
func (p *Playground) fire(ctx context.Context, a *action, c command) error {
	p.recorder.mute() // the controls and the login of the attacker would hide the attack
	findings, err := attack.Run(ctx, attack.Config{
		Target: *p.target(), Echo: p.config.Echo, Protocols: []wire.Protocol{wire.H1},
		Only: func(one *corpus.Attack) bool { return one.ID == c.Attack && overH1(one) },
	})
	if err != nil {
		return err
	}
	if len(findings) != 1 {
		return fmt.Errorf("%w: unrecognized attack %q", errBadCommand, c.Attack)
	}
	f := &findings[0]
	result := attackResult{Verdict: f.Verdict, Reason: f.Reason}
	if e := f.Evidence; e != nil {
		result.Sent, result.Response = describe.Shown([]byte(e.Sent)), "the gateway closed the connection"
		a.Curl = curlBytes(p.config.Attacked, e.Sent)
		if e.Response != nil {
			result.Response = responseText(e.Response)
			a.Status, a.Code = e.Response.Status, describe.CodeOf(e.Response.Body)
		}
		for _, seen := range e.Seen {
			result.Reached += fmt.Sprintf("%s %s %s\n%s\n", seen.Method, seen.Target, seen.Proto, strings.Join(seen.Lines, "\n"))
		}
		result.Reached = describe.Shown([]byte(result.Reached))
	}
	a.Result = result
	return nil
}

// responseText is a response as it was received.
func responseText(r *wire.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", r.Status, http.StatusText(r.Status))
	for _, h := range r.Header {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	return b.String() + "\n" + describe.Shown([]byte(r.Body))
}

// curlBytes returns the command that sends these bytes: curl would correct the request of an
// attack. The pause keeps the connection open for the response.
func curlBytes(gateway, sent string) string {
	var b strings.Builder
	for _, c := range []byte(sent) {
		switch {
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~' || strings.IndexByte(`\'%`, c) >= 0:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
		if b.Len() > maxAttackCommand {
			return ""
		}
	}
	return "{ printf '" + b.String() + "'; sleep 1; } |\n  curl -sS --max-time 3 telnet://" + strings.TrimPrefix(gateway, "http://")
}

// maxAttackCommand is the longest command that the page shows, 8 KiB: some attacks have
// megabytes, which no shell accepts.
const maxAttackCommand = 8 << 10
