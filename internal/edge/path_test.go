package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// closedPaths is a site with n similar sets of closed paths.
type closedPaths struct {
	Edge

	sets []LenientSet
}

func newClosedPaths(t testing.TB, n int) *closedPaths {
	t.Helper()
	c := &closedPaths{Edge: Edge{ComparesPaths: true, FoldsPaths: true}}
	for i := range n {
		set, err := NewPathSet([]string{fmt.Sprintf("/closed%d/*", i)})
		if err != nil {
			t.Fatal(err)
		}
		c.sets = append(c.sets, set.Lenient())
	}
	return c
}

// closes decides on a path like the gateway.
func (c *closedPaths) closes(r *http.Request) bool {
	path, err := c.path(r)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(c.sets, func(set LenientSet) bool { return set.Match(path) })
}

func asked(path string) *http.Request { return &http.Request{URL: &url.URL{Path: path}} }

// longPaths have the maximum length: one of ASCII, and one that folds slowly.
var longPaths = map[string]string{
	"ascii": "/" + strings.Repeat("x", maxPathBytes-1),
	"wide":  "/" + strings.Repeat("ｘ", (maxPathBytes-1)/3),
	"grows": "/" + strings.Repeat("\uFDFA", (maxPathBytes-1)/3),
}

// TestPathsAreFoldedOnce: a decision on a path makes as many allocations for fifty requirements
// as for one. Folding the path for each would make fifty times as many.
func TestPathsAreFoldedOnce(t *testing.T) {
	for name, path := range longPaths {
		allocations := func(n int) float64 {
			c, r := newClosedPaths(t, n), asked(path)
			return testing.AllocsPerRun(20, func() {
				c.closes(r)
			})
		}
		const noise = 3 // allocations of the race detector
		if one, fifty := allocations(1), allocations(50); fifty > one+noise {
			t.Errorf("%s: %v allocations for one requirement, %v for fifty", name, one, fifty)
		}
	}
}

// TestLongPathsCostNothing: the length of a path is checked before any work on it that
// grows with the path. Escaping, decoding and folding all allocate.
func TestLongPathsCostNothing(t *testing.T) {
	c := newClosedPaths(t, 50)
	for name, path := range map[string]string{
		"ascii": "/" + strings.Repeat("x", maxPathBytes), "wide": "/" + strings.Repeat("ｘ", maxPathBytes), "grows": "/" + strings.Repeat("\uFDFA", maxPathBytes),
		"escaped": "/" + strings.Repeat("支付/", maxPathBytes),
	} {
		r := asked(path)
		allocations := testing.AllocsPerRun(20, func() {
			if _, err := c.path(r); !errors.Is(err, errPathTooLong) {
				t.Fatalf("%s: got %v, want errPathTooLong", name, err)
			}
		})
		if allocations > 0 {
			t.Errorf("%s: %v allocations for a path of %d bytes", name, allocations, len(path))
		}
	}
	// Within the limit as sent, and over the limit when folded.
	if _, err := c.path(asked(longPaths["grows"])); !errors.Is(err, errPathTooLong) {
		t.Errorf("a path that grows: got %v, want errPathTooLong", err)
	}
}

// TestPathLimit: a path with the maximum length is accepted, and a longer path is refused.
func TestPathLimit(t *testing.T) {
	t.Parallel()
	c := newClosedPaths(t, 1)
	for _, test := range []struct {
		path, raw int // lengths
		want      error
	}{
		{maxPathBytes, 0, nil},
		{maxPathBytes + 1, 0, errPathTooLong},
		{1, 3 * maxPathBytes, nil},
		{1, 3*maxPathBytes + 1, errPathTooLong},
	} {
		r := asked("/" + strings.Repeat("x", test.path-1))
		r.URL.RawPath = strings.Repeat("x", test.raw)
		if _, err := c.path(r); !errors.Is(err, test.want) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

// TestFoldPath: spellings that some upstream considers equal are folded to the same path, up to
// a maximum length.
func TestFoldPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, want string
		most       int
		ok         bool
	}{
		{"/pay", "/PAY", 4, true},
		{"/pay", "", 3, false},
		{"/ｐay", "/PAY", 4, true},
		{"/ｐay", "", 3, false},
		{"/ſ\u212a", "/SK", 99, true},     // long s and the Kelvin sign
		{"/σας", "/ΣΑΣ", 99, true},        // a letter of three forms
		{"/e\u0301", "/\u00c9", 99, true}, // an accent in two spellings
	} {
		got, ok := foldPath(test.path, test.most)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%+v: got %q, %t", test, got, ok)
		}
	}
	for s, want := range map[string]bool{"": true, "/a\x7f": true, "\x80": false, "/é": false} {
		if isASCII(s) != want {
			t.Errorf("isASCII(%q) is %t", s, !want)
		}
	}
}

// TestCanonicalPath: an escaped path has only one meaning, or is refused. This tests the paths
// of configurations; the path of a request is also checked after it was decoded.
func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/": true, "/~a!$&'()*+,=:@_-.b": true, "/a%20b": true, "/%E6%94%AF": true, "/%e6%94%af%22": true,
		"": false, "a": false, "//": false, "/a//b": false, "/a b": false, "/a\x7f": false, "/a\x1f": false, "/é": false,
		"/a;b": false, `/a\b`: false, "/a#b": false, "/a?b": false, "/..": false, "/a./b": false, "/a%20/b": false, "/%20a": false,
		"/%41": false, "/%5A": false, "/%61": false, "/%7a": false, "/%30": false, "/%39": false, "/%2d": false, "/%2E": false, "/%5f": false, "/%7e": false,
		"/%2f": false, "/%5c": false, "/%25": false, "/%3b": false, "/%23": false, "/%3f": false, "/%00": false, "/%1f": false, "/%7f": false,
		"/%40": true, "/%5B": true, "/%60": true, "/%7B": true, "/%3A": true, "/a%20b%21": true,
		"/%": false, "/%2": false, "/%2g": false, "/%g2": false, "/%c0%ae": false, "/%80": false,
	} {
		if CanonicalPath(path) != want {
			t.Errorf("CanonicalPath(%q) is %t", path, !want)
		}
	}
}

func BenchmarkRequestPath(b *testing.B) {
	longPaths["short"] = "/orders/1"
	for name, path := range longPaths {
		for _, n := range []int{1, 50} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				c, r := newClosedPaths(b, n), asked(path)
				b.ReportAllocs()
				for b.Loop() {
					c.closes(r)
				}
			})
		}
	}
}

// TestPlainPathsAreCanonical: a plain path, which skips the other checks, would pass them.
func TestPlainPathsAreCanonical(t *testing.T) {
	t.Parallel()
	plain := []string{"/", "/orders", "/v1/orders/", "/a-b/c_d"}
	paths := []string{"", "orders", "//", "/a//b", "/a/..", "/a%2fb", "/(S(x))", "/a::$DATA", "/ａ"}
	for c := range 256 {
		paths = append(paths, "/a"+string([]byte{byte(c)})+"b", "/a/"+string([]byte{byte(c)}))
	}
	for _, path := range append(paths, plain...) {
		if isPlain(path) && (!CanonicalPath(path) || hasFullwidthSeparators(path) || cleanedPath(path) != path) {
			t.Errorf("%q: plain, but not canonical", path)
		}
	}
	for _, path := range plain {
		if !isPlain(path) {
			t.Errorf("%q: not plain", path)
		}
	}
}
