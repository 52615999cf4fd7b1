package simprefetch_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simprefetch"
)

// server is the server of a mini program, which keeps the last query.
func server(t *testing.T, last *url.Values) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = r.URL.Query()
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/boot", http.StatusFound)
		case "/full":
			_, _ = io.WriteString(w, strings.Repeat("x", 256<<10))
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", 256<<10+1))
		default:
			_, _ = io.WriteString(w, "data")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestFetch(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	var got url.Values
	at := server(t, &got)
	alice := wechatsim.User{Name: "alice"}

	result, err := simprefetch.Do(t.Context(), sim, simprefetch.Fetch{
		URL: at + "/boot?v=2", User: alice, Token: "t0", Path: "pages/index", Query: "a=1&b=2", Scene: 1001, Version: "1.2.3",
	})
	if err != nil || result != (simprefetch.Result{Status: 200, Kept: true, Body: "data"}) {
		t.Fatalf("%+v, %v", result, err)
	}
	if got.Get("timestamp") == "" {
		t.Error("no timestamp")
	}
	got.Del("timestamp")
	if want := "appid=wx0000000000000001&customMiniprogramVersion=1.2.3&path=pages%2Findex&query=a%3D1%26b%3D2&scene=1001&token=t0&v=2"; got.Encode() != want {
		t.Errorf("got %s, want %s", got.Encode(), want)
	}
	if _, err := simprefetch.Do(t.Context(), sim, simprefetch.Fetch{URL: at, User: alice}); err != nil {
		t.Fatal(err)
	}
	if got.Get("code") == "" || got.Has("token") || got.Has("scene") {
		t.Errorf("without a token: %v", got)
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	var got url.Values
	at := server(t, &got)
	for path, want := range map[string]struct {
		status int
		kept   bool
		bytes  int
	}{"/boot": {200, true, 4}, "/full": {200, true, 256 << 10}, "/large": {200, false, 256 << 10}, "/moved": {302, false, 0}} {
		result, err := simprefetch.Do(t.Context(), sim, simprefetch.Fetch{URL: at + path})
		if err != nil || result.Status != want.status || result.Kept != want.kept || want.bytes > 0 && len(result.Body) != want.bytes {
			t.Errorf("%s: %d, kept %v, %d bytes, %v", path, result.Status, result.Kept, len(result.Body), err)
		}
	}
}

func TestRefusedFetches(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for _, bad := range []string{"", "boot", "ftp://localhost/boot", "http:///boot", "http://\x00"} {
		if _, err := simprefetch.Do(t.Context(), sim, simprefetch.Fetch{URL: bad}); !errors.Is(err, simprefetch.ErrBadURL) {
			t.Errorf("%q: %v, want ErrBadURL", bad, err)
		}
	}
	unknown := simprefetch.Fetch{URL: "http://127.0.0.1:1/", User: wechatsim.User{App: "wx9"}}
	if _, err := simprefetch.Do(t.Context(), sim, unknown); !errors.Is(err, wechatsim.ErrUnknownApp) {
		t.Errorf("an unknown app: %v", err)
	}
	if _, err := simprefetch.Do(t.Context(), sim, simprefetch.Fetch{URL: "http://127.0.0.1:1/"}); err == nil {
		t.Error("no service listens, and no error")
	}
}
