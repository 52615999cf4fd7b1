package caddymodule_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// transportSite sets the options of a transport block to small values.
var transportSite = siteWith{store: "memory", sites: `
http://{{.Addr}} {
	wxgate
	handle /down {
		reverse_proxy 127.0.0.1:1
	}
	handle_path /socket/* {
		reverse_proxy unix/SOCKET
	}
	handle {
		reverse_proxy UPSTREAM {
			transport http {
				dial_timeout 2s
				response_header_timeout 300ms
				max_response_header 4KiB
				read_timeout 500ms
				write_timeout 500ms
				keepalive 30s
			}
		}
	}
}`}

// rawUpstream sends a response for each path, some of them invalid.
func rawUpstream(conn net.Conn) {
	defer conn.Close()
	requests := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		response, last := rawResponse(r)
		if _, err := io.WriteString(conn, response); err != nil {
			return
		}
		if last == hangs {
			_, _ = requests.ReadByte() // until the gateway gives up
		}
		if last != keeps {
			return
		}
	}
}

// following is what the upstream does with the connection after a response.
type following int

const (
	keeps following = iota
	closes
	hangs
)

func rawResponse(r *http.Request) (string, following) {
	const (
		ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" // else Caddy guesses, if the body is there in time
	)
	switch r.URL.Path {
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		echo := fmt.Sprint(r.Method, " ", r.Header.Get("X-Wx-Openid"), " ", string(body))
		length := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(echo))
		if r.Method == http.MethodHead {
			echo = ""
		}
		return text + length + echo, keeps
	case "/hints":
		return "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok, keeps
	case "/trailers":
		return text + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nX-Late: 8\r\n\r\n", keeps
	case "/no-headers":
		return "", hangs
	case "/big-headers":
		return "HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("x", 8<<10) + "\r\nContent-Length: 2\r\n\r\nok", keeps
	case "/stalls":
		return text + "Content-Length: 4\r\n\r\nok", hangs
	case "/breaks":
		return text + "Content-Length: 4\r\n\r\nok", closes
	case "/two-lengths":
		return text + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", keeps
	case "/garbage":
		return "hello\r\n\r\n", closes
	case "/nothing":
		return "", closes
	case "/no-content":
		return "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", keeps
	case "/until-the-end":
		return text + "\r\nok", closes
	case "/gzip":
		return text + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzipped("accepts "+r.Header.Get("Accept-Encoding")), closes
	default:
		return ok, keeps
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close() // writing to a buffer does not fail
	return b.String()
}

// serveRaw starts [rawUpstream] and returns its address.
func serveRaw(t *testing.T, network, address string) string {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go rawUpstream(conn)
		}
	}()
	return listener.Addr().String()
}

var dates = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// rawCall sends a request over a new connection and returns all that it receives.
func rawCall(t *testing.T, addr, request, token string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(head, "\n")
	text := lines[0] + " HTTP/1.1\r\nHost: " + addr + "\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n"
	if body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	for _, line := range lines[1:] {
		text += line + "\r\n"
	}
	response, err := io.ReadAll(sendRaw(t, addr, text+"\r\n"+body))
	if err != nil {
		t.Fatal(err)
	}
	return dates.ReplaceAllString(string(response), "")
}

// TestTransportsAgree: whether wxgate or Caddy's transport sends a request, the client receives
// the same response, with all options of the transport that wxgate must respect.
func TestTransportsAgree(t *testing.T) {
	requests := map[string]string{
		"a GET":                "GET /echo",
		"a HEAD":               "HEAD /echo",
		"to a socket":          "GET /socket/echo",
		"a POST without body":  "POST /echo",
		"a POST with a body":   "POST /echo\n\nhello",
		"early hints":          "GET /hints",
		"trailers":             "GET /trailers\nTE: trailers",
		"no headers in time":   "GET /no-headers",
		"too long headers":     "GET /big-headers",
		"a body that stalls":   "GET /stalls",
		"a body that breaks":   "GET /breaks",
		"two lengths":          "GET /two-lengths",
		"no HTTP":              "GET /garbage",
		"nothing":              "GET /nothing",
		"no content":           "GET /no-content",
		"until the end":        "GET /until-the-end",
		"gzip for itself":      "GET /gzip",
		"gzip for the client":  "GET /gzip\nAccept-Encoding: gzip",
		"an upstream down":     "GET /down",
		"Expect":               "POST /echo\nExpect: 100-continue\n\nhello",
		"an upgrade, declined": "GET /echo\nUpgrade: websocket",
	}
	address := serveRaw(t, "tcp", "127.0.0.1:0")
	socket := serveRaw(t, "unix", filepath.Join(t.TempDir(), "upstream"))
	got, openid := map[string]map[string]string{}, ""
	for _, transport := range []string{"wxgate", "standard"} {
		site := transportSite
		site.wxgate = "transport " + transport
		f := newFixture(t, strings.NewReplacer("UPSTREAM", address, "SOCKET", socket).Replace(site.String()))
		login := f.login("alice")
		token := login.str(t, "access_token")
		openid = login.str(t, "openId")
		got[transport] = map[string]string{}
		for name, request := range requests {
			got[transport][name] = rawCall(t, f.addr, request, token)
		}
		f.stop()
	}
	if echo := got["wxgate"]["a GET"]; !strings.HasSuffix(echo, "GET "+openid+" ") {
		t.Errorf("the upstream did not receive the request: %q", echo)
	}
	for name, want := range got["standard"] {
		if own := got["wxgate"][name]; own != want {
			t.Errorf("%s:\nwxgate   %q\nstandard %q", name, own, want)
		}
	}
}
