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

// TestDocumentedWords has docs/caddyfile.md say something of every word that the
// golden files use.
func TestDocumentedWords(t *testing.T) {
	document := readDocument(t, "caddyfile.md")
	firstWord := regexp.MustCompile(`(?m)^\t{2,}([a-z_]+)\b`)
	words := map[string]bool{}
	for _, block := range caddyfileSeeds(t) {
		if strings.Contains(block, goldenMark) {
			continue // an error: its words may be no words
		}
		for _, m := range firstWord.FindAllStringSubmatch(block, -1) {
			words[m[1]] = m[1] != "import" // which is Caddy's
		}
	}
	if len(words) < 25 {
		t.Fatalf("only %d words were found", len(words))
	}
	for word, ours := range words {
		if ours && !regexp.MustCompile("`"+word+"\\b|› `[^`]*`[^|]*`"+word+"\\b").MatchString(document) {
			t.Errorf("docs/caddyfile.md says nothing of %s", word)
		}
	}
}

// TestDocumentedLogFilter uses the log filter of docs/caddyfile.md: a token that
// comes in a query or in a header of another name is then in no log.
func TestDocumentedLogFilter(t *testing.T) {
	filter := regexp.MustCompile(`(?s)\tlog \{\n(\t\tformat filter \{.*?\n\t\t\})`).FindStringSubmatch(readDocument(t, "caddyfile.md"))
	if filter == nil {
		t.Fatal("docs/caddyfile.md has no log filter")
	}
	for _, words := range []string{"token_from query token", "token_from header X-Session-Token"} {
		t.Run(words, func(t *testing.T) {
			config := strings.Replace(directiveSite("\t\t"+words+"\n\t\tforward_token", "\tlog"), "\tadmin off\n",
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
				t.Errorf("the log does not hold the request:\n%s", log)
			}
			if strings.Contains(log, token) {
				t.Errorf("the token is in the log: %s", excerpt(log, token))
			}
		})
	}
}
