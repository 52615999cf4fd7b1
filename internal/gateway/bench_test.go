package gateway

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// identity returns the identity of a user who is logged in.
func (s *site) identity(b *testing.B) *auth.Identity {
	b.Helper()
	id, err := s.runtime.Service.Authenticate(strings.TrimPrefix(s.bearer()[1], "Bearer "))
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// BenchmarkGuard measures each step of a request whose token is cached, and all steps together.
func BenchmarkGuard(b *testing.B) {
	s := newPlainSite(b)
	bearer := s.bearer()[1]
	header := http.Header{"Accept": {"*/*"}, "Authorization": {bearer}, "User-Agent": {"MicroMessenger"}}
	r, w := httptest.NewRequest(http.MethodGet, "/orders", nil), httptest.NewRecorder()
	guard := s.gateway.Guard
	maps.Copy(r.Header, header)
	in, err := guard.receive(r)
	if err != nil {
		b.Fatal(err)
	}
	d, err := guard.decide(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	defer d.release()
	next := nextFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"receive", func() error {
			r.Header["Authorization"] = header["Authorization"]
			_, err := guard.receive(r)
			return err
		}},
		{"decide", func() error {
			d, err := guard.decide(b.Context(), in)
			d.release()
			return err
		}},
		{"send", func() error { guard.send(r, r.Header, d); return nil }},
		{"watch", func() error { return s.gateway.watched(d, w, r, next) }},
		{"all", func() error {
			clear(r.Header)
			maps.Copy(r.Header, header)
			return s.gateway.ServeHTTP(w, r, next)
		}},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := step.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRedact measures the copy of a request for the log of reverse_proxy.
func BenchmarkRedact(b *testing.B) {
	s := newPlainSite(b)
	redactor := s.gateway.Edge.Redactor(s.identity(b))
	sent := httptest.NewRequest(http.MethodGet, "/orders", nil)
	maps.Copy(sent.Header, http.Header{ // as reverse_proxy sends it
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"},
		"Referer": {"https://servicewechat.com/wx0000000000000001/1/page-frame.html"}, "User-Agent": {"MicroMessenger"}, "Via": {"1.1 Caddy"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"api.example.com"}, "X-Forwarded-Proto": {"https"},
		"X-Wx-Openid": {"one"}, "X-Wx-Appid": {"wx0000000000000001"}, "X-Wx-Source": {"wx_client"}, "X-Wx-Session": {"session"},
	})
	for name, all := range map[string]bool{"few": false, "all": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				logged := *sent
				redactor.Redact(&logged, func(*http.Request) *http.Request { return nil }, all)
			}
		})
	}
}
