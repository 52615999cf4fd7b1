package standalone

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestNotices prints each call that is not simulated once, and the others never.
func TestNotices(t *testing.T) {
	t.Parallel()
	sim, err := Default().New()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	api := NewNotices(&out).Unknown(sim.API())
	for _, path := range []string{"/cgi-bin/menu/create", "/cgi-bin/token", "/cgi-bin/menu/create", "/%1b[2J"} {
		api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil))
	}
	want := "not simulated: POST \"/cgi-bin/menu/create\"\nnot simulated: POST \"/\\x1b[2J\"\n"
	if out.String() != want {
		t.Errorf("it prints\n%s\nwant\n%s", out.String(), want)
	}
}
