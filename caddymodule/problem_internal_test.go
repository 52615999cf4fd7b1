package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestProblemsAreShared: errTwoTokens is one value for all requests, so that
// answering with it must not change it. The race detector finds out.
func TestProblemsAreShared(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			w := httptest.NewRecorder()
			if err := errTwoTokens.write(w, httptest.NewRequest(http.MethodGet, "/", nil)); err != nil {
				t.Error(err)
			}
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"title":"Bad Request"`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
}
