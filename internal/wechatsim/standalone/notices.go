package standalone

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// maxNotices is how many lines are printed at most.
const maxNotices = 200

// Notices prints what an SDK does that the simulator cannot respond to, each line once.
type Notices struct {
	out io.Writer

	mu      sync.Mutex
	printed map[string]bool
}

// NewNotices returns notices that go to out.
func NewNotices(out io.Writer) *Notices {
	return &Notices{out: out, printed: make(map[string]bool)}
}

// Print prints a line unless it was printed before.
func (n *Notices) Print(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.printed[line] || len(n.printed) >= maxNotices {
		return
	}
	n.printed[line] = true
	_, _ = fmt.Fprintln(n.out, line)
}

// Unknown returns an API that prints calls of paths that are not simulated.
func (n *Notices) Unknown(api http.Handler) http.Handler {
	known := wechatsim.Paths()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, found := slices.BinarySearch(known, r.URL.Path); !found {
			n.Print(fmt.Sprintf("not simulated: %s %q", r.Method, r.URL.Path))
		}
		api.ServeHTTP(w, r)
	})
}
