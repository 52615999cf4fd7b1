package corpus_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/attack/corpus"
)

// TestCorpus: every attack has a unique name, an advisory, and controls, without which a
// gateway that is down would pass.
func TestCorpus(t *testing.T) {
	t.Parallel()
	var target corpus.Target
	target.Defaults()
	form := regexp.MustCompile(`^(CVE-\d{4}-\d{4,}|GHSA-[\w-]+|RFC \d{4}( section [\d.]+)?|[\w-]+/[\w-]+#\d+)$`)
	seen := map[string]bool{}
	count := map[string]int{}
	for _, a := range corpus.Corpus(&target) {
		if seen[a.ID] {
			t.Errorf("%s: twice", a.ID)
		}
		seen[a.ID] = true
		count[a.Mechanism.Name]++
		if !strings.HasPrefix(a.ID, a.Mechanism.Name+"/") {
			t.Errorf("%s: the mechanism is %s", a.ID, a.Mechanism.Name)
		}
		if len(a.Needs) == 0 || a.Judge == nil || a.Request.String() == "" {
			t.Errorf("%s: no control, no judge or no request", a.ID)
		}
		for _, advisory := range a.CVEs() {
			if !form.MatchString(advisory) {
				t.Errorf("%s: advisory %q", a.ID, advisory)
			}
		}
		if a.Request.Raw != "" && !strings.Contains(a.Request.Raw, "{marker}") && !strings.Contains(a.Request.Raw, "{smuggled}") {
			t.Errorf("%s: it has no marker by which the upstream's requests are found", a.ID)
		}
	}
	for _, m := range corpus.Mechanisms() {
		if count[m.Name] == 0 {
			t.Errorf("no attack for the mechanism %s", m.Name)
		}
	}
	t.Logf("%d attacks: %v", len(seen), count)
}
