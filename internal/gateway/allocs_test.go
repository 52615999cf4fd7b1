package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wxgate/wxgate/internal/edge"
)

// newPlainSite returns a typical site: without assertions and requirements.
func newPlainSite(t testing.TB) *site {
	t.Helper()
	return newSite(t, func(_ *site, c *Config) {
		headers, err := edge.NewHeaders(edge.Names{})
		if err != nil {
			t.Fatal(err)
		}
		c.Guard.Edge.Headers, c.Guard.Edge.FoldsPaths = headers, false
	})
}

// TestAllocations limits the allocations of every request. It does not run in parallel:
// allocations of other tests would be counted.
func TestAllocations(t *testing.T) {
	s := newPlainSite(t)
	bearer := []string{s.bearer()[1]}
	r, w := httptest.NewRequest(http.MethodGet, "/orders", nil), httptest.NewRecorder()
	next := nextFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	request := func() {
		for _, name := range []string{"X-Wx-Openid", "X-Wx-Appid", "X-Wx-Source", "X-Wx-Session"} {
			delete(r.Header, name)
		}
		r.Header["Authorization"] = bearer
		if err := s.gateway.ServeHTTP(w, r, next); err != nil {
			t.Fatal(err)
		}
	}
	testing.AllocsPerRun(1000, request) // the cache stores the token with a delay
	allocs := testing.AllocsPerRun(1000, request)
	if allocs > maxAllocs || r.Header["X-Wx-Openid"] == nil {
		t.Errorf("%v allocations, at most %d are allowed; headers %v", allocs, maxAllocs, r.Header)
	}
}
