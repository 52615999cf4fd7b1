package service

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestParse: a service is named in any usual way; what is wrong is refused with an example.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:3000": "127.0.0.1:3000", "3000": "127.0.0.1:3000", ":3000": "127.0.0.1:3000", "localhost:3000": "localhost:3000", "[::1]:3000": "[::1]:3000",
		"http://127.0.0.1:3000": "127.0.0.1:3000", "http://localhost:3000/": "localhost:3000", "api:80": "api:80",
	} {
		if own, err := Parse(text); err != nil || own.Address != want {
			t.Errorf("%q is %+v (%v), want %q", text, own, err, want)
		}
	}
	for _, text := range []string{"", "abc", "0", "99999", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http", "127.0.0.1:3000/api", "http://a/b:3000", "user@host:3000", "https://127.0.0.1:3000"} {
		if own, err := Parse(text); err == nil || !strings.Contains(err.Error(), "such as 127.0.0.1:3000") {
			t.Errorf("%q is %+v (%v)", text, own, err)
		}
	}
}

// TestHas: a port that the service will have must stay free.
func TestHas(t *testing.T) {
	for _, test := range []struct {
		own, address string
		want         bool
	}{
		{"127.0.0.1:9000", "127.0.0.1:9000", true}, {"localhost:9000", "127.0.0.1:9000", true}, {"0.0.0.0:9000", "127.0.0.1:9000", true},
		{"127.0.0.1:9000", "127.0.0.1:9001", false}, {"192.0.2.1:9000", "127.0.0.1:9000", false}, {"api:9000", "127.0.0.1:9000", false},
	} {
		if got := (&Own{test.own}).Has(test.address); got != test.want {
			t.Errorf("%s and %s: %v", test.own, test.address, got)
		}
	}
}

// TestHandler: the service gets what the gateway sent, byte for byte.
func TestHandler(t *testing.T) {
	var got *http.Request
	theirs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	t.Cleanup(theirs.Close)
	own, err := Parse(theirs.URL)
	if err != nil {
		t.Fatal(err)
	}
	if !own.Reachable(t.Context()) {
		t.Error("it is not reachable")
	}
	request := httptest.NewRequest(http.MethodGet, "http://gateway.example/a%2fb?x=1;y=2", nil)
	for name, value := range map[string]string{"X-Wx-Openid": "alice", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"} {
		request.Header.Set(name, value)
	}
	own.Handler().ServeHTTP(httptest.NewRecorder(), request)
	if got == nil || got.Host != "gateway.example" || got.RequestURI != "/a%2fb?x=1;y=2" {
		t.Fatalf("it got %+v", got)
	}
	for name := range request.Header {
		if got.Header.Get(name) != request.Header.Get(name) {
			t.Errorf("%s is %q", name, got.Header.Get(name))
		}
	}
	theirs.CloseClientConnections()
	theirs.Close()
	w := httptest.NewRecorder()
	own.Handler().ServeHTTP(w, request)
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), own.Address+" does not respond: connection refused. Start it, then call again.") || own.Reachable(t.Context()) {
		t.Errorf("status %d\n%s", w.Code, w.Body)
	}
}
