package standalone

import (
	"strings"
	"testing"
)

// TestIntro prints the warning for an API that other machines reach, and only then.
func TestIntro(t *testing.T) {
	t.Parallel()
	const warning = "Use no real secret with it."
	for _, public := range []bool{false, true} {
		var out strings.Builder
		intro := Intro{API: "http://127.0.0.1:9911", Controls: "http://127.0.0.1:9912", Public: public, Setup: Default()}
		if err := intro.Print(&out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if strings.Contains(text, warning) != public || !strings.Contains(text, "users: alice, bob, carol\n") {
			t.Errorf("with public %v it prints\n%s", public, text)
		}
	}
}

// TestIntroWithoutWeChat has no app on WeChat: no login is shown.
func TestIntroWithoutWeChat(t *testing.T) {
	t.Parallel()
	setup, err := load(t, `{"apps": [{"appid": "q", "secret": "s", "platform": "qq"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := (Intro{API: "http://127.0.0.1:9911", Controls: "http://127.0.0.1:9912", Setup: setup}).Print(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "A login of") || !strings.Contains(text, "http://127.0.0.1:9911/qq") {
		t.Errorf("it prints\n%s", text)
	}
}
