package page_test

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// textFolder returns a folder with templates that print every text.
func textFolder(t *testing.T) *page.Pages {
	t.Helper()
	folder := t.TempDir()
	var b strings.Builder
	for field := range reflect.TypeFor[page.Text]().Fields() {
		b.WriteString("<p id=" + field.Name + ">{{.Text." + field.Name + "}}</p>\n")
	}
	write(t, folder, "error.html", b.String())
	return newPages(t, page.Theme{}, folder)
}

// TestLanguagesAgree: each text exists in both languages, with the same placeholders.
func TestLanguagesAgree(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`%s|\{\w+\}`)
	han := regexp.MustCompile(`\p{Han}`)
	p := textFolder(t)
	english, chinese := paragraphs(t, p, "en"), paragraphs(t, p, "zh-CN")
	if len(english) < 20 {
		t.Fatalf("found %d texts", len(english))
	}
	for name, text := range english {
		translated := chinese[name]
		if text == "" || han.MatchString(text) || !han.MatchString(translated) {
			t.Errorf("%s: %q and %q", name, text, translated)
		}
		if a, b := placeholder.FindAllString(text, -1), placeholder.FindAllString(translated, -1); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v in %q, %v in %q", name, a, text, b, translated)
		}
	}
}

// paragraphs are the texts of the elements of a page that have an ID.
func paragraphs(t *testing.T, p *page.Pages, language string) map[string]string {
	t.Helper()
	root, err := html.Parse(get(t, language, errorOf(p, mistaken)).Body)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for n := range root.Descendants() {
		if n.Data == "p" && n.FirstChild != nil {
			found[n.Attr[0].Val] = n.FirstChild.Data
		}
	}
	return found
}

// TestTextsAreUsed: each text appears in one of the pages.
func TestTextsAreUsed(t *testing.T) {
	t.Parallel()
	p := newPages(t, page.Theme{}, "")
	unnamed, untitled := asking, mistaken
	unnamed.Name, untitled.Title = "", ""
	for _, language := range []string{"en", "zh-CN"} {
		all := ""
		for _, serve := range []func(http.ResponseWriter, *http.Request) error{
			scanOf(p, scan), continueOf(p, asking), continueOf(p, unnamed), errorOf(p, untitled),
		} {
			all += html.UnescapeString(get(t, language, serve).Body.String())
		}
		for name, text := range paragraphs(t, textFolder(t), language) {
			if !strings.Contains(all, strings.ReplaceAll(text, "%s", "Alice")) {
				t.Errorf("%s, %s: no page has %q", language, name, text)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for name, serve := range served(newPages(t, page.Theme{}, "")) {
		for accepted, want := range map[string]string{"": "en", "zh-CN,zh;q=0.9,en;q=0.8": "zh-CN", "zh-TW": "zh-CN", "en-GB,zh;q=0.5": "en", "de": "en"} {
			w := get(t, accepted, serve)
			if got := w.Header().Get("Content-Language"); got != want || !strings.Contains(w.Body.String(), `<html lang="`+want+`">`) {
				t.Errorf("%s for %q is in %q, want %q", name, accepted, got, want)
			}
		}
	}
}
