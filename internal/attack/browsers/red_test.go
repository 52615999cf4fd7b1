package browsers_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/browsers"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

const (
	naiveToken  = "e30.e30.eA"
	naiveName   = "wxgate"
	naiveSecret = "wxc_-IDIDIDIDIDIDIDIDIDIDIDI_secretsecretsecretsecretsecretsecretsec"
)

// naive is a gateway for browsers without a defense: it guards only the paths of the controls,
// never invalidates a ticket, and redirects browsers to any URL.
type naive struct {
	echo string

	mu    sync.Mutex
	ended bool // the session, for the next request
}

// TestEveryAttackCanSucceed: every judge reports success on some naive gateway.
func TestEveryAttackCanSucceed(t *testing.T) {
	t.Parallel()
	echo, err := wire.NewEcho("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	gateway := &naive{echo: echo.Addr}
	target := corpus.Target{URL: "http://" + gateway.serve(t), Token: naiveToken, Cookie: naiveName + "=" + naiveSecret}
	// The naive gateway has no TLS; its pages behave as if a proxy in front had TLS.
	target.Origin = "https://shop.localhost"
	mechanisms := map[string]bool{}
	for _, m := range browsers.Mechanisms() {
		mechanisms[m.Name] = true
	}
	findings, err := attack.Run(t.Context(), attack.Config{
		Target: target, Echo: echo, Protocols: []wire.Protocol{wire.H1}, Only: func(a *corpus.Attack) bool { return mechanisms[a.Mechanism.Name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	red := map[string]bool{}
	for _, f := range findings {
		red[f.ID] = f.Verdict == attack.Succeeded
		if !red[f.ID] {
			t.Errorf("%s: %s %s\n\t%s", f.ID, f.Verdict, f.Reason, f.Request)
		}
	}
	target.Defaults()
	for _, a := range browsers.Attacks(&target) {
		// A tunnel over HTTP/2 or HTTP/3 has the same headers and judge as a tunnel over
		// HTTP/1.1.
		if a.Over(wire.H1) && !red[a.ID] || !a.Over(wire.H1) && !red[strings.Replace(a.ID, "/connect-", "/websocket-", 1)] {
			t.Errorf("%s succeeds against no naive gateway", a.ID)
		}
	}
	t.Logf("%d attacks", len(red))
}

// TestAttacksAreDescribed: every attack has a unique name, controls, a judge, and an advisory.
func TestAttacksAreDescribed(t *testing.T) {
	t.Parallel()
	target := corpus.Target{URL: "https://localhost:8443", Cookie: naiveName + "=" + naiveSecret}
	target.Defaults()
	form := regexp.MustCompile(`^(CVE-\d{4}-\d{4,}|RFC \d{4} section [\d.]+)$`)
	seen, count := map[string]bool{}, map[string]int{}
	for _, a := range browsers.Attacks(&target) {
		if seen[a.ID] || !strings.HasPrefix(a.ID, a.Mechanism.Name+"/") {
			t.Errorf("%s: duplicate, or of another mechanism than %s", a.ID, a.Mechanism.Name)
		}
		seen[a.ID] = true
		count[a.Mechanism.Name]++
		for _, need := range a.Needs {
			if need != corpus.Admitted && browsers.Controls(&target)[need].Check == nil {
				t.Errorf("%s: there is no control %q", a.ID, need)
			}
		}
		for _, advisory := range a.CVEs() {
			if !form.MatchString(advisory) {
				t.Errorf("%s: advisory %q", a.ID, advisory)
			}
		}
	}
	for _, m := range browsers.Mechanisms() {
		if count[m.Name] == 0 {
			t.Errorf("no attack for the mechanism %s", m.Name)
		}
	}
	t.Logf("%d attacks: %v", len(seen), count)
}

func (n *naive) serve(t *testing.T) string {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { n.connection(c) })
		}
	})
	return l.Addr().String()
}

func (n *naive) connection(c net.Conn) {
	const timeout = 3 * time.Second
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(timeout))
	in := bufio.NewReader(c)
	head := readHead(in)
	if response := n.respond(head, in); response != "" {
		_, _ = io.WriteString(c, response)
		return
	}
	upstream, err := new(net.Dialer).DialContext(context.Background(), "tcp", n.echo)
	if err != nil {
		return
	}
	defer func() { _ = upstream.Close() }()
	_ = upstream.SetDeadline(time.Now().Add(timeout))
	first, rest, _ := strings.Cut(head, "\n")
	_, _ = io.WriteString(upstream, first+"\nX-WX-OPENID: of-the-gateway\r\n"+rest)
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(upstream, in)
		close(done)
	}()
	_, _ = io.Copy(c, upstream)
	_ = c.Close()
	<-done
}

func readHead(in *bufio.Reader) string {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		b, err := in.ReadByte()
		if err != nil {
			break
		}
		head.WriteByte(b)
	}
	return head.String()
}

var (
	ticketIn = regexp.MustCompile(`ticket=([^&\s]+)`)
	callIn   = regexp.MustCompile(`(?i)e[^?\s]{0,2}nter[^?\s]*\?ticket=|(?i)%65nter|(?i)%2565nter`)
)

// respond returns the response, or "" for a request that is passed to the upstream.
func (n *naive) respond(head string, in *bufio.Reader) string {
	words := append(strings.Fields(head), "", "")
	method, target := words[0], words[1]
	credential := strings.Contains(head, naiveSecret) || strings.Contains(head, naiveToken)
	const calls = "/v1.0/pub/web"
	switch {
	case strings.Contains(head, "X-Attack") && method == "POST" && target == calls+"/enter":
		body := readBody(head, in)
		return n.enter(head, body)
	case callIn.MatchString(head):
		return n.enter(head, target)
	case strings.HasPrefix(target, calls+"/ticket"):
		return ok(`{"ticket":"wxt_x"}`)
	case strings.HasPrefix(target, calls+"/login"):
		back := header(head, "X-Forwarded-Host") + header(head, "X-Forwarded-Proto") + header(head, "X-Forwarded-Port") + header(head, "X-Forwarded-Prefix") +
			header(head, "Forwarded") + header(head, "X-Original-Host") + header(head, "Referer") + header(head, "Origin")
		if strings.Contains(head, "X-Forwarded-Proto") || strings.Contains(head, "X-Forwarded-Port") {
			back += "evil.example" // it also accepts its host from the proxy's header
		}
		return redirect("https://login.example/?redirect_uri="+back, "wxgate-login=x; Path=/")
	case strings.HasPrefix(target, calls+"/callback?"):
		return redirect("/", naiveName+"=new")
	case strings.HasPrefix(target, calls+"/logout"):
		n.end(credential)
		return "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
	case strings.HasPrefix(target, "/v1.0/pub/refresh"):
		if strings.Contains(readBody(head, in), "made-up") {
			return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		}
		return ok(`{"access_token":"x"}`)
	case strings.Contains(head, "Sec-Fetch-Mode: navigate"):
		back := target
		if named := header(head, "X-Forwarded-Uri") + header(head, "X-Original-URL") + header(head, "X-Forwarded-Host"); named != "" {
			back = named
		}
		return redirect("/login?return="+read(strings.Replace(back, "http:", "", 1)), "")
	case !credential && strings.HasSuffix(target, "control") && strings.HasPrefix(target, "/guarded/"), n.over(target):
		return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	}
	return ""
}

func (n *naive) end(has bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = has
}

// over reports whether the session is over, for the request that checks it.
func (n *naive) over(target string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	over := n.ended && strings.HasPrefix(target, "/guarded/after")
	n.ended = n.ended && !over
	return over
}

// enter logs in with any ticket.
func (n *naive) enter(head, parameters string) string {
	back := "/"
	if _, text, ok := strings.Cut(parameters, "return="); ok {
		text, _, _ = strings.Cut(text, "&return=")
		back, _ = url.QueryUnescape(text)
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Original-Host", "X-Forwarded-Prefix", "Referer", "Origin", "Forwarded"} {
		if v := header(head, name); v != "" && !strings.Contains(v, "localhost") {
			back = "//" + v
		}
	}
	if proto := header(head, "X-Forwarded-Proto"); proto == "javascript" {
		back = proto + "://shop.localhost"
	}
	if port := header(head, "X-Forwarded-Port"); port != "" {
		back = "https://shop.localhost:" + port
	}
	if !ticketIn.MatchString(head + parameters) {
		return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	}
	return redirect(read(back), naiveName+"=new; Domain=example.com")
}

// read reads a return like several parsers in a row: it trims, decodes, folds and resolves.
func read(text string) string {
	if !strings.Contains(text, "\r\n") {
		text = strings.NewReplacer("\n", "", "\x00", "").Replace(text)
	}
	text = strings.NewReplacer("／", "/", "/x/..", "", "/guarded/..", "", "/..", "", "/.", "").Replace(strings.TrimSpace(text))
	if decoded, err := url.PathUnescape(text); err == nil && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		text = decoded
	}
	return text
}

func header(head, name string) string {
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func readBody(head string, in *bufio.Reader) string {
	length, _ := strconv.Atoi(header(head, "Content-Length"))
	body := make([]byte, length)
	_, _ = io.ReadFull(in, body)
	return string(body)
}

func ok(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func redirect(to, cookie string) string {
	set := ""
	if cookie != "" {
		set = "Set-Cookie: " + cookie + "\r\n"
	}
	return "HTTP/1.1 303 See Other\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 0\r\n" + set + "Location: " + to + "\r\n\r\n"
}
