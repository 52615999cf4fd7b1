package prefetch

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestDetach(t *testing.T) {
	t.Parallel()
	const token = "wxp_0123456789abcdef"
	path := Path("/boot")
	r := httptest.NewRequest(http.MethodGet, "/boot?appid=wx1&timestamp=1&token="+token, nil)
	r.Header = http.Header{
		"Referer": {"x"}, "X-Forwarded-Uri": {"/a", "/boot?token=" + token}, "X-Encoded": {"token=" + token + "&"}, "User-Agent": {"wx"},
	}
	detached := path.Detach(r)
	if detached == nil || path.Of(r) != nil {
		t.Fatal("it is not detached, or was already")
	}
	if left := slices.Sorted(maps.Keys(detached.Header)); !slices.Equal(left, []string{"User-Agent"}) {
		t.Errorf("headers %v", left)
	}
	if again := path.Detach(detached); again != nil {
		t.Error("it is detached twice")
	}
	d := path.Of(detached)
	if d == nil || d.Err != nil || d.Token != token || d.By() != "token" {
		t.Fatalf("%+v", d)
	}
	if detached.URL.RawQuery != "appid=wx1&timestamp=1" || detached.RequestURI != "/boot?appid=wx1&timestamp=1" {
		t.Errorf("left in the request: %s", detached.RequestURI)
	}
	if other := Path("/other"); other.Of(detached) != nil || other.Detach(r) != nil || Path("").Detach(r) != nil || Path("").Of(detached) != nil {
		t.Error("another path is a prefetch")
	}
}

func TestShortCredentialsRemoveNoHeader(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/boot?code=close&token=1", nil)
	r.Header = http.Header{"Connection": {"close"}, "X-Forwarded-For": {"192.0.2.1"}}
	detached := Path("/boot").Detach(r)
	if detached == nil || len(detached.Header) != 2 {
		t.Fatalf("%v", detached)
	}
	if d := Path("/boot").Of(detached); d.Err == nil || d.By() != "none" {
		t.Errorf("%+v", d)
	}
}
