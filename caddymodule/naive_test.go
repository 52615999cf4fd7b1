package caddymodule_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// naive is a gateway without an HTTP parser. Attacks that Caddy's parsers refuse succeed on it,
// which shows that they are attacks. It searches the head of the first request on a connection
// for the token, adds its headers after the first line, and copies all other bytes.
type naive struct {
	token, echo string
}

// naiveTimeout bounds the time of a connection. The corpus does not wait longer.
const naiveTimeout = 3 * time.Second

// serve serves the naive gateway over HTTP/1.1.
func (n *naive) serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.connection(c)
		}
	}()
	return l.Addr().String()
}

func (n *naive) connection(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(naiveTimeout))
	in := bufio.NewReader(c)
	head := readNaiveHead(in)
	upstream, status := n.open(head)
	if upstream == nil {
		_, _ = io.WriteString(c, "HTTP/1.1 "+status+" Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	defer func() { _ = upstream.Close() }()
	go func() { _, _ = io.Copy(upstream, in) }()
	_, _ = io.Copy(c, upstream)
}

// readNaiveHead reads until the bytes look like the end of a head.
func readNaiveHead(in *bufio.Reader) string {
	var head strings.Builder
	for {
		b, err := in.ReadByte()
		if err != nil {
			return head.String()
		}
		head.WriteByte(b)
		if s := strings.TrimLeft(head.String(), "\r\n"); strings.HasSuffix(s, "\r\n\r\n") || strings.HasSuffix(s, "\n\n") {
			return s
		}
	}
}

// open sends a head to the upstream and returns the connection, or returns the status of the
// refusal.
func (n *naive) open(head string) (upstream net.Conn, refusal string) {
	target := head
	if parts := strings.SplitN(head, " ", 3); len(parts) == 3 {
		target = parts[1]
	}
	known := strings.Contains(head, n.token)
	// It lists guarded paths, although a gateway should list public ones.
	switch {
	case !known && strings.HasPrefix(target, "/guarded/control"):
		return nil, "401"
	case strings.HasPrefix(target, "/phone/control"):
		return nil, "403"
	}
	first, rest, _ := strings.Cut(head, "\n")
	var own strings.Builder
	for _, name := range []string{"X-WX-OPENID", "X-Forwarded-For", "X-Forwarded-Proto"} {
		if known && !namedHopByHop(head, name) {
			own.WriteString(name + ": of-the-gateway\r\n")
		}
	}
	upstream, err := net.Dial("tcp", n.echo)
	if err != nil {
		return nil, "502"
	}
	_ = upstream.SetDeadline(time.Now().Add(naiveTimeout))
	_, _ = io.WriteString(upstream, first+"\n"+own.String()+rest)
	return upstream, ""
}

var hopByHop = regexp.MustCompile(`(?im)^(connection|keep-alive|proxy-connection|te|trailer):((?:.|\n[ \t])*)`)

// namedHopByHop reports whether a hop-by-hop header names another header.
func namedHopByHop(head, name string) bool {
	for _, match := range hopByHop.FindAllStringSubmatch(head, -1) {
		if strings.Contains(strings.ToLower(strings.ReplaceAll(match[2], "_", "-")), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// naiveField is one header, spelled as in the frame.
type naiveField struct{ name, value string }

// translate writes an HTTP/2 or HTTP/3 request as HTTP/1.1, without checking it.
func translate(fields []naiveField, body []byte, trailer []naiveField) string {
	pseudo := map[string]string{}
	var lines, end strings.Builder
	framed := false
	for _, f := range fields {
		switch f.name {
		case ":method", ":path", ":authority", ":scheme", ":protocol":
			pseudo[f.name] = f.value
			continue
		case "content-length", "transfer-encoding":
			framed = true
		}
		lines.WriteString(f.name + ": " + f.value + "\r\n")
	}
	for _, f := range trailer {
		end.WriteString(f.name + ": " + f.value + "\r\n")
	}
	target := pseudo[":path"]
	if target == "" {
		target = pseudo[":authority"]
	}
	if pseudo[":protocol"] != "" {
		lines.WriteString("connection: upgrade\r\nupgrade: " + pseudo[":protocol"] + "\r\n")
	}
	head := pseudo[":method"] + " " + target + " HTTP/1.1\r\nhost: " + pseudo[":authority"] + "\r\n" + lines.String()
	switch {
	case framed || len(body) == 0 && end.Len() == 0 || pseudo[":method"] == "CONNECT":
		return head + "\r\n" + string(body)
	case len(body) == 0:
		return head + "transfer-encoding: chunked\r\n\r\n0\r\n" + end.String() + "\r\n"
	}
	const hex = "0123456789abcdef"
	size := []byte{hex[len(body)>>12&15], hex[len(body)>>8&15], hex[len(body)>>4&15], hex[len(body)&15]}
	return head + "transfer-encoding: chunked\r\n\r\n" + string(size) + "\r\n" + string(body) + "\r\n0\r\n" + end.String() + "\r\n"
}

// exchange sends a translated request and returns the status of the response.
func (n *naive) exchange(fields []naiveField, body []byte, trailer []naiveField) string {
	text := translate(fields, body, trailer)
	in := bufio.NewReader(strings.NewReader(text))
	upstream, refusal := n.open(readNaiveHead(in))
	if upstream == nil {
		return refusal
	}
	defer func() { _ = upstream.Close() }()
	_, _ = io.Copy(upstream, in) // send everything before reading the response to the first part
	first, err := bufio.NewReader(upstream).ReadBytes('\n')
	if parts := bytes.Fields(first); err == nil && len(parts) > 1 {
		if status := string(parts[1]); status != "101" {
			return status
		}
		return "200"
	}
	return "502"
}
