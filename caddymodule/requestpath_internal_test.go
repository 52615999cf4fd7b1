package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// manyRequirements has n lines of require, on paths that are alike.
func manyRequirements(t testing.TB, n int) *guard {
	t.Helper()
	g := new(guard)
	for i := range n {
		set, err := newPathSet([]string{fmt.Sprintf("/closed%d/*", i)})
		if err != nil {
			t.Fatal(err)
		}
		g.require = append(g.require, requirement{paths: set.widened()})
	}
	return g
}

func asked(path string) *http.Request { return &http.Request{URL: &url.URL{Path: path}} }

// longPaths are as long as one may be, of ASCII and of what folds slowly.
var longPaths = map[string]string{
	"ascii": "/" + strings.Repeat("x", maxPathBytes-1),
	"wide":  "/" + strings.Repeat("ｘ", (maxPathBytes-1)/3),
	"grows": "/" + strings.Repeat("\uFDFA", (maxPathBytes-1)/3),
}

// TestPathsAreFoldedOnce: deciding on a path allocates as much for fifty
// requirements as for one, and nothing that a long path would multiply.
func TestPathsAreFoldedOnce(t *testing.T) {
	for name, path := range longPaths {
		allocations := func(n int) float64 {
			g, r := manyRequirements(t, n), asked(path)
			return testing.AllocsPerRun(20, func() {
				if path, err := g.requestPath(r); err == nil {
					g.anonymous(received{path: path})
				}
			})
		}
		if one, fifty := allocations(1), allocations(50); fifty > one {
			t.Errorf("%s: %v allocations for one requirement, %v for fifty", name, one, fifty)
		}
	}
}

// TestLongPathsCostNothing: the length of a path is checked before any work on it that
// grows with the path. Escaping, decoding and folding all allocate.
func TestLongPathsCostNothing(t *testing.T) {
	h := manyRequirements(t, 50)
	for name, path := range map[string]string{
		"ascii": "/" + strings.Repeat("x", maxPathBytes), "wide": "/" + strings.Repeat("ｘ", maxPathBytes), "grows": "/" + strings.Repeat("\uFDFA", maxPathBytes),
		"escaped": "/" + strings.Repeat("支付/", maxPathBytes),
	} {
		r := asked(path)
		allocations := testing.AllocsPerRun(20, func() {
			if _, err := h.requestPath(r); !errors.Is(err, errPathTooLong) {
				t.Fatalf("%s: got %v, want errPathTooLong", name, err)
			}
		})
		if allocations > 0 {
			t.Errorf("%s: %v allocations for a path of %d bytes", name, allocations, len(path))
		}
	}
	// Within the limit as sent, and beyond it once folded.
	if _, err := h.requestPath(asked(longPaths["grows"])); !errors.Is(err, errPathTooLong) {
		t.Errorf("a path that grows: got %v, want errPathTooLong", err)
	}
}

func BenchmarkRequestPath(b *testing.B) {
	longPaths["short"] = "/orders/1"
	for name, path := range longPaths {
		for _, n := range []int{1, 50} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				g, r := manyRequirements(b, n), asked(path)
				b.ReportAllocs()
				for b.Loop() {
					if path, err := g.requestPath(r); err == nil {
						g.anonymous(received{path: path})
					}
				}
			})
		}
	}
}
