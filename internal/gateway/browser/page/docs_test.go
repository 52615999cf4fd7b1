package page_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// document returns docs/web.md, beginning with the section about the operator's pages.
func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/web.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n### Your own pages\n")
	if !found {
		t.Fatal("docs/web.md has no section about the operator's pages")
	}
	return after
}

// TestDocumentedData: the tables list exactly the values of each template.
func TestDocumentedData(t *testing.T) {
	t.Parallel()
	text := document(t)
	row := regexp.MustCompile("(?m)^\\| `\\.(\\w+)` \\|")
	for before, data := range map[string]any{
		"Every page has these values:": page.Page{}, "`scan.html` also has:": page.Scan{},
		"`continue.html` also has:": page.Continue{}, "`error.html` also has:": page.Error{},
	} {
		_, table, found := strings.Cut(text, "\n"+before+"\n\n")
		if !found {
			t.Errorf("no table after %q", before)
			continue
		}
		table, _, _ = strings.Cut(table, "\n\n")
		var got, want []string
		for _, m := range row.FindAllStringSubmatch(table, -1) {
			got = append(got, m[1])
		}
		for field := range reflect.TypeOf(data).Fields() {
			want = append(want, field.Name)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the table after %q has %q, want %q", before, got, want)
		}
	}
}

// TestDocumentedTemplate signs in with the template of the page.
func TestDocumentedTemplate(t *testing.T) {
	t.Parallel()
	_, template, _ := strings.Cut(document(t), "\n```html\n")
	template, _, found := strings.Cut(template, "```\n")
	if !found {
		t.Fatal("no template")
	}
	folder := t.TempDir()
	write(t, folder, "scan.html", template)
	g := newGateway(t, page.Theme{}, folder)
	b := openTab(t, g.url, "/login")
	b.waitForText(waiting)
	if over := b.Resize(360); over > 0 {
		t.Errorf("the page is %d pixels too wide", over)
	}
	b.Theme("light")
	b.Picture("documented")
	g.setState("expired")
	b.waitForText("The code has expired.")
	b.click("#wxgate-again")
	b.waitForText(waiting)
	g.setState("confirmed")
	b.waitForURL("/after?x=1")
}
