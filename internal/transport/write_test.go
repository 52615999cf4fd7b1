package transport

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzWrite: a request is sent exactly like net/http sends it, or refused.
func FuzzWrite(f *testing.F) {
	f.Add("GET", "/orders", "a=1", "api.example.com", "X-A", "1")
	f.Add("POST", "//a/%2F", "", "[::1]:80", "User-Agent", " x ")
	f.Add("GET", "/a\r\nX: 1", "\x00", "a\r\nX: 1", "X\r\nY", "1\r\nZ: 2")
	f.Add("PUT", "", "", "", "Content-Length", "7")
	f.Add("GET /", "*", "", "a b", "Host", "another")
	f.Add("PATCH", "/", "", "h", "Transfer-Encoding", "chunked")
	t := &Transport{settings: new(http.Transport)}
	f.Fuzz(func(test *testing.T, method, path, query, host, name, value string) {
		header := http.Header{"Accept-Encoding": {"br"}, "Range": {}}
		header[name] = append(header[name], value)
		r := &http.Request{Method: method, URL: &url.URL{Scheme: "http", Host: "upstream", Path: path, RawQuery: query}, Host: host, Header: header}
		if !isPlain(r) {
			return
		}
		out, err := t.outgoing(r)
		if err != nil {
			return
		}
		out.gzip = false // which net/http's Write does not add
		var got, want bytes.Buffer
		w := bufio.NewWriter(&got)
		out.write(w)
		if err := w.Flush(); err != nil {
			test.Fatal(err)
		}
		if err := r.Write(&want); err != nil {
			test.Fatalf("net/http refuses it: %v", err)
		}
		if sorted(got.String()) != sorted(want.String()) {
			test.Errorf("sent %q\nnet/http sends %q", got.String(), want.String())
		}
	})
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines[1:])
	return strings.Join(lines, "")
}
