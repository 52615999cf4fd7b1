package edge

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack/upstream"
	"github.com/wxgate/wxgate/internal/auth"
)

// fuzzedEdge does not compare paths: it only reads and removes.
func fuzzedEdge(t testing.TB) *Edge {
	t.Helper()
	e := new(Edge)
	var err error
	if e.Headers, err = NewHeaders(Names{Phone: "X-User-Phone", Assertion: "X-Proof", AssertionAudience: "a"}); err != nil {
		t.Fatal(err)
	}
	if e.Credentials, err = NewCredentials(Source{}, false, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

// managedModel is a model of Managed that shares no code with it: it reads names as a server
// that treats any run of marks as one mark, and ignores marks at the ends.
var managedModel = regexp.MustCompile(`^[^a-z0-9]*(x[^a-z0-9]+wx[^a-z0-9]|x[^a-z0-9]+user[^a-z0-9]+phone[^a-z0-9]*$|x[^a-z0-9]+proof[^a-z0-9]*$)`)

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// headersOf reads lines "name: value" into a header map, without changing the names.
func headersOf(lines string) http.Header {
	header := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header[name] = append(header[name], strings.TrimSpace(value))
		}
	}
	return header
}

// FuzzHeaderMap: in any map of headers that a client can cause, no managed header is left, no
// Connection token names a header, and no trailer is left. Identity headers that are set
// afterwards are all present, once.
func FuzzHeaderMap(f *testing.F) {
	e := fuzzedEdge(f)
	id := &auth.Identity{User: auth.User{OpenID: "o", App: "wx1"}, Session: "s"}
	f.Fuzz(func(t *testing.T, lines, trailer string) {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header, r.Trailer = headersOf(lines), headersOf(trailer)
		_, _ = e.Receive(r) // it also removes headers if it refuses the request
		checkStripped(t, r)
		e.Headers.Set(r.Header, id, "")
		for _, name := range []string{"X-Wx-Openid", "X-Wx-Appid", "X-Wx-Source", "X-Wx-Session"} {
			if len(r.Header[name]) != 1 {
				t.Errorf("%s upstream: %q", name, r.Header[name])
			}
		}
		e.Forget(r)
		checkStripped(t, r)
	})
}

func checkStripped(t *testing.T, r *http.Request) {
	t.Helper()
	if len(r.Trailer) > 0 {
		t.Errorf("a trailer is left: %q", r.Trailer)
	}
	for name, values := range r.Header {
		if managedModel.MatchString(lowerASCII(name)) {
			t.Errorf("%q is left", name)
		}
		if name != "Connection" {
			continue
		}
		for _, value := range values {
			for token := range strings.SplitSeq(value, ",") {
				switch strings.TrimSpace(token) {
				case "close", "keep-alive", "upgrade", "te":
				default:
					t.Errorf("Connection names %q", token)
				}
			}
		}
	}
}

// FuzzPath: every model of a server reads a canonical path in the same way as the gateway, so
// that the server serves the path that the gateway decided on.
func FuzzPath(f *testing.F) {
	f.Fuzz(func(t *testing.T, target string) { checkPath(t, target) })
}

// checkPath reports whether a request target is canonical, and fails the test if a model of a
// server reads it differently.
func checkPath(t *testing.T, target string) bool {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil || !CanonicalRequestPath(&http.Request{URL: u}) {
		return false
	}
	for _, reading := range upstream.Readings(u.RequestURI()) {
		decoded, err := url.PathUnescape(reading)
		if err != nil || decoded != u.Path {
			t.Errorf("%q is canonical, but a server may serve %q for %q", target, reading, u.Path)
		}
	}
	open, err := NewPathSet([]string{"/public/*", "/health"})
	if err != nil {
		t.Fatal(err)
	}
	// Sets that admit match exactly. Sets that refuse match at least as much.
	closed := open.Lenient()
	if open.Match(u.Path) && !closed.matchFolded(foldConfigured(u.Path)) {
		t.Errorf("%q is public, but a requirement for the same path does not match it", target)
	}
	for _, routed := range upstream.Routings(u.Path) {
		if open.Match(u.Path) && !open.Match(routed) {
			t.Errorf("%q is public, but a program may serve %q for it", target, routed)
		}
		if open.Match(routed) && !closed.matchFolded(foldConfigured(u.Path)) {
			t.Errorf("%q is not closed, but a program may serve %q for it, which is", target, routed)
		}
	}
	if lower := strings.ToLower(u.Path); open.Match(lower) && !closed.matchFolded(foldConfigured(u.Path)) {
		t.Errorf("%q differs from a closed path in case only", target)
	}
	return true
}

// TestPathMixtures is FuzzPath with combinations of the parts of known attacks, which a fuzzer
// rarely finds.
func TestPathMixtures(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"/", "//", ".", "..", "...", ";", "x", "public", "PUBLIC", "health", "%2e", "%2E", "%2f", "%5c", "%20", "%00", "%09", "%23", "%3b", "%3f", "%25", "%25%32%65",
		"%c0%ae", "%c0%af", "%e0%80%af", "%E4%BD%A0", "%41", "%u002e", "\\", "#", "?", "&", "=", "+", "~", ":", "@", "%E2%84%AA", "%EF%BC%8F", "a b", "%7e", "%2B",
		"index.php", ".PHP/", "/public/", "/health", "．", "／", "‥", "%EF%BD%90ublic", "::$DATA",
	}
	const rounds, most = 80000, 6
	dice := rand.New(rand.NewPCG(1, 2))
	canonical := 0
	for range rounds {
		target := "/"
		for range 1 + dice.IntN(most) {
			target += pieces[dice.IntN(len(pieces))]
		}
		if checkPath(t, target) {
			canonical++
		}
	}
	if canonical < rounds/50 {
		t.Errorf("only %d of %d mixtures were canonical: the test checks too little", canonical, rounds)
	}
}

// TestHardeningSeeds: without its seeds, a fuzz target passes in every plain test run.
func TestHardeningSeeds(t *testing.T) {
	t.Parallel()
	const least = 8
	for _, target := range []string{"FuzzHeaderMap", "FuzzPath"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < least {
			t.Errorf("%s has %d seeds, want %d: %v", target, len(seeds), least, err)
		}
		for _, seed := range seeds {
			if text, err := os.ReadFile(seed); err != nil || !strings.HasPrefix(string(text), "go test fuzz v1\n") {
				t.Errorf("%s is not a seed: %v", seed, err)
			}
		}
	}
}
