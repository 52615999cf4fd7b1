package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/handler"
)

// TestFuzzSeeds checks that the fuzz targets have seeds: a plain `go test` runs only these.
func TestFuzzSeeds(t *testing.T) {
	for _, target := range []string{"FuzzLoginBody", "FuzzCaddyfile"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < 5 {
			t.Errorf("%s has %d seeds (%v)", target, len(seeds), err)
		}
	}
	if n := len(caddyfileSeeds(t)); n < 100 {
		t.Errorf("the golden files have only %d wxgate blocks", n)
	}
}

// fuzzCalls are the calls that read a body, and the error codes that an unauthenticated client
// may get.
var fuzzCalls = []struct {
	path  string
	codes []string
}{
	{"/openId", []string{"invalid_request", "invalid_code", "unknown_app"}},
	{"/decode", []string{"invalid_request", "missing_token", "session_stale"}},
	{"/userInfo", []string{"invalid_request", "missing_token", "session_stale"}},
	{"/refresh", []string{"invalid_request", "invalid_token", "session_revoked"}},
	{"/logout", []string{"missing_token"}},
	{"/revoke", []string{"invalid_request", ""}},
}

// FuzzLoginBody sends any body to any call of a running gateway with the simulator. Each body
// is refused with an expected error code, without a 500 or a panic, and invalid JSON is never
// accepted.
func FuzzLoginBody(f *testing.F) {
	fx := newFixture(f, site)
	h := new(handler.Handler)
	if err := h.Provision(caddy.ActiveContext()); err != nil {
		f.Fatal(err)
	}
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		f.Error("a call of the login API was passed to the next handler")
		return nil
	})
	_ = fx
	f.Fuzz(func(t *testing.T, call uint8, body []byte, contentType, referer string) {
		c := fuzzCalls[int(call)%len(fuzzCalls)]
		r := httptest.NewRequest(http.MethodPost, pub+c.path, bytes.NewReader(body))
		r.Header["Content-Type"], r.Header["Referer"] = []string{contentType}, []string{referer}
		w := httptest.NewRecorder()
		if err := h.ServeHTTP(w, r, next); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		var problem struct {
			Code   string `json:"code"`
			Status int    `json:"status"`
		}
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
				t.Fatalf("the response is not JSON: %q", w.Body)
			}
		}
		if !slices.Contains(c.codes, problem.Code) || problem.Code != "" && problem.Status != w.Code || w.Code >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
		if c.path == "/openId" && len(body) > 0 && !json.Valid(body) && problem.Code != "invalid_request" {
			t.Errorf("%q is not valid JSON; the response is %s", body, w.Body)
		}
	})
}

// caddyfileSeeds returns the wxgate blocks of the golden files.
func caddyfileSeeds(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash(goldenFiles))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?ms)^\twxgate\b.*?^\t?\}`)
	var seeds []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(b), goldenCut)
		if seed := block.FindString(text); seed != "" {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// lineOfFuzz matches the line in an error about a fuzzed block.
var lineOfFuzz = regexp.MustCompile(`\bCaddyfile:\d+\b`)

// FuzzCaddyfile parses any text as the global block and as the directive. The result is an error
// that names a line, or a configuration that can be written to JSON and read back.
func FuzzCaddyfile(f *testing.F) {
	for _, seed := range caddyfileSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		for _, fresh := range []func() caddyfile.Unmarshaler{
			func() caddyfile.Unmarshaler { return new(app.App) },
			func() caddyfile.Unmarshaler { return new(handler.Handler) },
		} {
			read := fresh()
			if err := read.UnmarshalCaddyfile(caddyfile.NewDispenser(slices.Clone(tokens))); err != nil {
				if !lineOfFuzz.MatchString(err.Error()) {
					t.Errorf("the error names no line: %v", err)
				}
				continue
			}
			written := caddyconfig.JSON(read, nil)
			back := fresh()
			if err := caddy.StrictUnmarshalJSON(written, back); err != nil {
				t.Errorf("%s does not load: %v", written, err)
			}
			if again := caddyconfig.JSON(back, nil); !bytes.Equal(again, written) {
				t.Errorf("%s loads as %s", written, again)
			}
		}
	})
}
