package problem

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedErrors compares the table of docs/api.md with the table of the code: each code
// with its status, in both directions, and the advice for an internal error, which a request
// cannot cause. TestDocumentedCodes tests all others.
func TestDocumentedErrors(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, mapped []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:<a id=\"[^\"]*\"></a>)?`([a-z_]+)` \\| (\\d{3}) \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[2]+" "+row[1])
	}
	page, anchor, _ := strings.Cut(docsOfCode, "#")
	for _, c := range append(classes, class{code: codeInternal}) {
		if !strings.HasSuffix(page, "/docs/api.md") || !strings.Contains(string(text), `<a id="`+anchor+c.code+`"></a>`) {
			t.Errorf("docs/api.md has no anchor for the type of %s", c.code)
		}
	}
	for _, c := range classes {
		mapped = append(mapped, fmt.Sprintf("%d %s", c.status, c.code))
	}
	unknown := Of(os.ErrInvalid) // an error without a class
	mapped = append(mapped, fmt.Sprintf("%d %s", unknown.Status, unknown.Code))
	if !regexp.MustCompile("`internal` \\| 500 \\|[^|]*\\| Contact its operator. \\|").Match(text) || !strings.HasSuffix(unknown.Detail, " Contact its operator.") {
		t.Errorf("docs/api.md and the detail %q give different advice", unknown.Detail)
	}
	slices.Sort(documented)
	slices.Sort(mapped)
	if !slices.Equal(documented, mapped) {
		t.Errorf("docs/api.md has\n%q\nthe gateway has\n%q", documented, mapped)
	}
}

// TestPlaygroundExplainsCodes: the playground explains only error codes of the gateway and of
// the demo's service (service.CodeDown), and the same codes in both languages.
func TestPlaygroundExplainsCodes(t *testing.T) {
	explained := map[string][]string{}
	for _, language := range []string{"en", "zh"} {
		text, err := os.ReadFile("../demo/playground/web/" + language + ".js")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`'code\.([a-z_]+)':`).FindAllStringSubmatch(string(text), -1) {
			explained[language] = append(explained[language], m[1])
			if m[1] != "upstream_down" && !slices.ContainsFunc(classes, func(c class) bool { return c.code == m[1] }) {
				t.Errorf("%s.js explains %s, which is not an error code", language, m[1])
			}
		}
	}
	if len(explained["en"]) < 10 || !slices.Equal(explained["en"], explained["zh"]) {
		t.Errorf("the playground explains\n%q\n%q", explained["en"], explained["zh"])
	}
}

// TestChallengesAreValid: a description in WWW-Authenticate is ASCII without quotes and
// backslashes (RFC 6750 section 3), and a 401 always has a challenge.
func TestChallengesAreValid(t *testing.T) {
	allowed := regexp.MustCompile(`^Bearer realm="wxgate"(, error="[a-z_]+", error_description="[\x20-\x21\x23-\x5b\x5d-\x7e]+")?$`)
	for _, c := range classes {
		p := Problem{Status: c.status, Code: c.code, Detail: c.detail, Bearer: c.bearer}
		switch challenge := p.challenge(); {
		case challenge == "" && (c.status == http.StatusUnauthorized || c.bearer != ""):
			t.Errorf("%s has no challenge", c.code)
		case challenge != "" && !allowed.MatchString(challenge):
			t.Errorf("%s: %s", c.code, challenge)
		}
	}
}
