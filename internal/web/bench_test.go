package web_test

import "testing"

// BenchmarkAuthenticate is what a request with a cookie costs while its identity is cached. It
// reads no store: see TestReads.
func BenchmarkAuthenticate(b *testing.B) {
	s := newSite(b, options{})
	cookie := s.login("alice").Cookie.Value()
	if _, err := s.web.Authenticate(b.Context(), cookie); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.web.Authenticate(b.Context(), cookie); err != nil {
			b.Fatal(err)
		}
	}
}
