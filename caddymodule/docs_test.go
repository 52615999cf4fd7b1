package caddymodule_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readDocument(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocumentedOptions: docs/caddyfile.md documents every option that the golden files use.
func TestDocumentedOptions(t *testing.T) {
	document := readDocument(t, "caddyfile.md")
	optionName := regexp.MustCompile(`(?m)^\t{2,}([a-z_]+)\b`)
	options := map[string]bool{}
	for _, block := range caddyfileSeeds(t) {
		if strings.Contains(block, goldenMark) {
			continue // an error, perhaps about an option that does not exist
		}
		for _, m := range optionName.FindAllStringSubmatch(block, -1) {
			options[m[1]] = m[1] != "import" // import is a directive of Caddy
		}
	}
	if len(options) < 25 {
		t.Fatalf("only %d options were found", len(options))
	}
	for option, ours := range options {
		if ours && !regexp.MustCompile("`"+option+"\\b|› `[^`]*`[^|]*`"+option+"\\b").MatchString(document) {
			t.Errorf("docs/caddyfile.md does not document %s", option)
		}
	}
}

// TestDocumentedLogFilter: with the log filter of docs/caddyfile.md, a token in the query or
// in a header other than Authorization is in no log.
func TestDocumentedLogFilter(t *testing.T) {
	filter := regexp.MustCompile(`(?s)\tlog \{\n(\t\tformat filter \{.*?\n\t\t\})`).FindStringSubmatch(readDocument(t, "caddyfile.md"))
	if filter == nil {
		t.Fatal("docs/caddyfile.md has no log filter")
	}
	for _, option := range []string{"token_from query token", "token_from header X-Session-Token"} {
		t.Run(option, func(t *testing.T) {
			config := strings.Replace(directiveSite("\t\t"+option+"\n\t\tforward_token", "\tlog"), "\tadmin off\n",
				"\tadmin off\n\tlog {\n\t\toutput file {{.Dir}}/log\n\t\tlevel DEBUG\n"+filter[1]+"\n\t}\n", 1)
			f := newFixture(t, config)
			token := f.token("alice")
			f.do("GET", "/orders?a=1&token="+token, "", "X-Session-Token", token).want(t, http.StatusOK, "")
			b, err := os.ReadFile(filepath.Join(f.dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			log := string(b)
			if !strings.Contains(log, "/orders?a=1") || !strings.Contains(log, "upstream roundtrip") {
				t.Errorf("the log does not contain the request:\n%s", log)
			}
			if strings.Contains(log, token) {
				t.Errorf("the token is in the log: %s", excerpt(log, token))
			}
		})
	}
}
