package edge

import (
	"strings"
	"testing"
)

// TestOverrideStems: the fast check finds every name that the full check finds.
func TestOverrideStems(t *testing.T) {
	t.Parallel()
	names := []string{"X-Forwarded-Basepath", "X-Original-Pathname", "X-Original-Url-Path", "X-Scriptname", "X-Real-Request-Path", "X-Proxy-Prefix", "X-Path-Override-Url"}
	for _, name := range append(names, PathOverrides...) {
		for _, spelling := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), "_" + name} {
			if !overridesPath(spelling) {
				t.Errorf("%s is kept", spelling)
			}
		}
	}
	for _, name := range []string{"Authorization", "Content-Type", "Referer", "Cookie", "X-Request-Id", "X-Callback-Url", "X-Original-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Base"} {
		if overridesPath(name) {
			t.Errorf("%s is removed", name)
		}
	}
}
