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

// closedPaths is a site with n sets of closed paths that are alike.
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

// closes decides on a path as the gateway does.
func (c *closedPaths) closes(r *http.Request) bool {
	path, err := c.path(r)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(c.sets, func(set LenientSet) bool { return set.Match(path) })
}

func asked(path string) *http.Request { return &http.Request{URL: &url.URL{Path: path}} }

// longPaths are as long as one may be, of ASCII and of what folds slowly.
var longPaths = map[string]string{
	"ascii": "/" + strings.Repeat("x", maxPathBytes-1),
	"wide":  "/" + strings.Repeat("ｘ", (maxPathBytes-1)/3),
	"grows": "/" + strings.Repeat("\uFDFA", (maxPathBytes-1)/3),
}

// TestPathsAreFoldedOnce: deciding on a path allocates as much for fifty requirements as
// for one. To fold it for each would take fifty times as many.
func TestPathsAreFoldedOnce(t *testing.T) {
	for name, path := range longPaths {
		allocations := func(n int) float64 {
			c, r := newClosedPaths(t, n), asked(path)
			return testing.AllocsPerRun(20, func() {
				c.closes(r)
			})
		}
		const noise = 3 // of the race detector
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
	// Within the limit as sent, and beyond it once folded.
	if _, err := c.path(asked(longPaths["grows"])); !errors.Is(err, errPathTooLong) {
		t.Errorf("a path that grows: got %v, want errPathTooLong", err)
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
