package web_test

import "testing"

// BenchmarkAuthenticate measures a request with a cookie whose identity is cached. It does not
// read the store: see TestReads.
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
