package demo

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestWalkthroughOfOwn: with a service of one's own, the lines call a path that it has.
func TestWalkthroughOfOwn(t *testing.T) {
	var b strings.Builder
	w := Walkthrough{Playground: "127.0.0.1:18089", Gateway: "127.0.0.1:18088", Upstream: "127.0.0.1:3000", Own: true, Down: true}
	if err := w.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"playground  http://127.0.0.1:18089/\nyour service http://127.0.0.1:3000/  does not respond yet; start it\n\n",
		"\ncurl -d path=/ -d forge=yes 127.0.0.1:18089/sh/call\n", "\nweb login   http://127.0.0.1:18088/\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "/api/orders") {
		t.Errorf("it calls a path of the demo:\n%s", b.String())
	}
}

// TestWalkthroughFits: in both languages no text is missing, and no line is wider than a terminal.
func TestWalkthroughFits(t *testing.T) {
	for _, w := range []Walkthrough{{}, {Own: true}, {Chinese: true}, {Chinese: true, Own: true}} {
		w.Playground, w.Gateway, w.Upstream, w.Down = "127.0.0.1:18089", "127.0.0.1:18088", "127.0.0.1:3000", true
		var b strings.Builder
		if err := w.Print(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if columns := columnsOf(line); columns > 80 {
				t.Errorf("%d columns: %s", columns, line)
			}
		}
		all := reflect.ValueOf(w.text())
		for i := range all.NumField() {
			if text := all.Field(i).String(); text == "" || w.Chinese != strings.ContainsFunc(text, isHan) {
				t.Errorf("%s is %q", all.Type().Field(i).Name, text)
			}
		}
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// columnsOf returns the width of a line in a terminal, without its line break.
func columnsOf(line string) (n int) {
	for _, r := range strings.TrimRight(line, "\n") {
		n++
		if utf8.RuneLen(r) > 2 { // Chinese characters and punctuation
			n++
		}
	}
	return n
}

// TestIsChinese: the first variable that is set decides.
func TestIsChinese(t *testing.T) {
	for want, variables := range map[bool][]map[string]string{
		true:  {{"LANG": "zh_CN.UTF-8"}, {"LC_MESSAGES": "zh_TW", "LANG": "en_US.UTF-8"}, {"LC_ALL": "zh_HK.UTF-8", "LC_MESSAGES": "C"}},
		false: {{}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, {"LC_CTYPE": "zh_CN.UTF-8"}},
	} {
		for _, v := range variables {
			if IsChinese(func(name string) string { return v[name] }) != want {
				t.Errorf("%v: %v", v, !want)
			}
		}
	}
}
