package transport_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
)

// read sends a GET and returns the response as text, or the error.
func (s sender) read(t *testing.T, r *http.Request) (string, error) {
	t.Helper()
	response, err := s.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return describe(response, string(body)), err
}

// describe returns all parts of a response that a proxy passes on.
func describe(response *http.Response, body string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s length %d %q\n", response.Proto, response.Status, response.ContentLength, body)
	for _, header := range []http.Header{response.Header, response.Trailer} {
		for _, name := range slices.Sorted(maps.Keys(header)) {
			fmt.Fprintf(&text, "%s: %q\n", name, header[name])
		}
		text.WriteString("--\n")
	}
	return text.String()
}

// responses are responses of upstreams, well-formed or not.
var responses = map[string]string{
	"a length":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"until the end":          "HTTP/1.1 200 OK\r\n\r\nok",
	"until the end, 1.0":     "HTTP/1.0 200 OK\r\n\r\nok",
	"chunked":                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"chunked with trailers":  "HTTP/1.1 200 OK\r\nTrailer: X-Sum, X-None\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
	"no content":             "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
	"not modified":           "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
	"early hints":            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"100 and 102":            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"short body":             "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
	"short chunk":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nok",
	"no last chunk":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
	"bad chunk length":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
	"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
	"the same length twice":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
	"a list of lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
	"negative length":        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
	"a length with a sign":   "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
	"both lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"unknown coding":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
	"nothing":                "",
	"half a status line":     "HTTP/1.1 20",
	"no status line":         "hello\r\n\r\n",
	"status of two digits":   "HTTP/1.1 20 OK\r\n\r\n",
	"another protocol":       "RTSP/1.0 200 OK\r\n\r\n",
	"half a header":          "HTTP/1.1 200 OK\r\nX-A: 1",
	"header without a colon": "HTTP/1.1 200 OK\r\nX-A 1\r\n\r\n",
	"space before the colon": "HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
	"folded header":          "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
	"bare line feeds":        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"cookies":                "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
	"no reason":              "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	"status 000":             "HTTP/1.1 000 Odd\r\n\r\nbody",
	"status 999":             "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
}

// TestResponses: this transport reads a response in the same way as net/http's.
func TestResponses(t *testing.T) {
	t.Parallel()
	for name, response := range responses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				compare(t, method, response)
			}
		})
	}
}

// compare compares the transports for one response, after which the connection is closed.
func compare(t *testing.T, method, response string) {
	t.Helper()
	settings := newSettings(t)
	var group sync.WaitGroup
	settings.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // a fuzzer would run out of ports
		group.Go(func() {
			defer theirs.Close()
			_, _ = http.ReadRequest(bufio.NewReader(theirs))
			_, _ = io.WriteString(theirs, response)
		})
		return ours, nil
	}
	const url = "http://upstream.invalid/"
	want, wantErr := sender{settings, "net/http"}.read(t, request(t, method, url))
	got, err := newOwnWith(settings).read(t, request(t, method, url))
	settings.CloseIdleConnections()
	group.Wait()
	if got != want || (err == nil) != (wantErr == nil) {
		t.Errorf("%s, %q:\ngot  %s%v\nwant %s%v", method, response, got, err, want, wantErr)
	}
}

func FuzzResponse(f *testing.F) {
	for _, response := range responses {
		f.Add(response)
	}
	f.Fuzz(func(t *testing.T, response string) {
		if strings.Contains(response, " 101") {
			return // net/http passes the connection to the caller
		}
		compare(t, http.MethodGet, response)
	})
}

// TestInformational is like TestTransportIgnore1xxResponses of net/http; a caller with a trace
// gets all informational responses, in order.
func TestInformational(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s sender) {
		const hints = "HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n"
		url := serveRaw(t, respond(fmt.Sprintf(hints, 1)+fmt.Sprintf(hints, 2)+"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		var links []string
		r := request(t, http.MethodGet, url)
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			links = append(links, fmt.Sprint(code, header.Get("Link")))
			return nil
		}}
		if _, body := s.do(t, r.WithContext(httptrace.WithClientTrace(r.Context(), trace))); body != "ok" || !slices.Equal(links, []string{"103</1>", "103</2>"}) {
			t.Errorf("%q after %q", body, links)
		}
		trace.Got1xxResponse = func(int, textproto.MIMEHeader) error { return errBroken }
		if _, err := s.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace))); !errors.Is(err, errBroken) {
			t.Errorf("the caller's error became %v", err)
		}
	})
}

// TestHeaderLimit is like TestTransportResponseHeaderLength and TestTransportLimits1xxResponses
// of net/http.
func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	big := "X-Big: " + strings.Repeat("x", limit) + "\r\n\r\n"
	for name, tc := range map[string]struct {
		response string
		ok       bool
	}{
		"long header":           {"HTTP/1.1 200 OK\r\n" + big, false},
		"endless informational": {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", limit/30), false},
		"long body":             {"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(settings *http.Transport) { settings.MaxResponseHeaderBytes = limit }, func(t *testing.T, s sender) {
				_, err := s.read(t, request(t, http.MethodGet, serveRaw(t, respond(tc.response))))
				if tc.ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "exceed") {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestSwitching: a response that switches protocols is an error, since no request of this
// transport asks for another protocol.
func TestSwitching(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, respond("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nsecret"))
	if _, err := newOwn(t).RoundTrip(request(t, http.MethodGet, url)); err == nil || !strings.Contains(err.Error(), "switched protocols") {
		t.Errorf("%v", err)
	}
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGzip is like TestRoundTripGzip, TestTransportGzip, TestTransportGzipShort and
// TestTransportContentEncodingCaseInsensitive of net/http.
func TestGzip(t *testing.T) {
	t.Parallel()
	zipped := compressed(t, strings.Repeat("hello ", 1000))
	reply := func(encoding, body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, len(body), body)
	}
	for name, tc := range map[string]struct {
		method, accept, response string
		off                      bool
	}{
		"not requested":           {"GET", "", reply("gzip", zipped), false},
		"in capitals":             {"GET", "", reply("GZIP", zipped), false},
		"requested by the caller": {"GET", "gzip", reply("gzip", zipped), false},
		"cut off":                 {"GET", "", reply("gzip", zipped[:len(zipped)-20]), false},
		"not gzip":                {"GET", "", reply("gzip", "hello"), false},
		"empty":                   {"GET", "", reply("gzip", ""), false},
		"another":                 {"GET", "", reply("br", "hello"), false},
		"HEAD":                    {"HEAD", "", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", false},
		"turned off":              {"GET", "", reply("gzip", zipped), true},
		"endless headers":         {"GET", "", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n" + zipped, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, own := range []bool{false, true} {
				url := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
					_, _ = http.ReadRequest(requests)
					_, _ = io.WriteString(conn, tc.response)
				})
				settings := newSettings(t)
				settings.DisableCompression = tc.off
				s := sender{settings, "net/http"}
				if own {
					s = newOwnWith(settings)
				}
				r := request(t, tc.method, url)
				delete(r.Header, "Accept-Encoding")
				if tc.accept != "" {
					r.Header["Accept-Encoding"] = []string{tc.accept}
				}
				text, err := s.read(t, r)
				got = append(got, fmt.Sprint(text, err))
				if n := len(r.Header["Accept-Encoding"]); n > 0 && tc.accept == "" {
					t.Error("the request was changed")
				}
			}
			if got[0] != got[1] {
				t.Errorf("got  %s\nwant %s", got[1], got[0])
			}
		})
	}
}
