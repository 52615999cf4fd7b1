package caddymodule_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// A logout everywhere is one revocation in effect, which operators see.
func TestRevocationsAreCounted(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	count := func() (n int) {
		t.Helper()
		found := regexp.MustCompile(`(?m)^wxgate_revocations (\d+)$`).FindStringSubmatch(f.do("GET", "/metrics", "").body)
		if found == nil {
			t.Fatal("no count of revocations")
		}
		_, _ = fmt.Sscan(found[1], &n)
		return n
	}
	alice := f.login("alice").str(t, "openId")
	before := count()
	f.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", alice)
	if got := count(); got != before+1 {
		t.Errorf("%d revocations, want %d", got, before+1)
	}
}
