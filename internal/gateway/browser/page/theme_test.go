package page_test

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

func TestTheme(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		theme page.Theme
		want  string // at the end of the style
	}{
		{page.Theme{}, "}\n</style>"},
		{page.Theme{Accent: "#07c160"}, "\n:root {--wxgate-accent: #07c160; --on-accent: #000;}\n</style>"},
		{page.Theme{Accent: "#1A4"}, "\n:root {--wxgate-accent: #1A4; --on-accent: #000;}\n</style>"},
		{page.Theme{Accent: "#114"}, "\n:root {--wxgate-accent: #114; --on-accent: #fff;}\n</style>"},
		{page.Theme{Accent: "#767676", Background: "#Fff"}, "\n:root {--wxgate-accent: #767676; --on-accent: #000;--wxgate-background: #Fff;}\n</style>"},
		{page.Theme{Background: "#102030"}, "\n:root {--wxgate-background: #102030;}\n</style>"},
	} {
		body := get(t, "", errorOf(newPages(t, test.theme, ""), mistaken)).Body.String()
		if !strings.Contains(body, test.want) {
			t.Errorf("%+v: the style has no %q", test.theme, test.want)
		}
	}
}

func TestThemeIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"red", "07c160", "#07c16", "#07c1600", "#ggg", "#fff;}", "url(//host)", "#fff\n", "</style>"} {
		for want, theme := range map[string]page.Theme{"theme: accent ": {Accent: value}, "theme: background ": {Background: value}} {
			if _, err := page.New(theme, ""); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%+v: %v", theme, err)
			}
		}
	}
}
