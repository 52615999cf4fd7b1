package playground

import (
	"bufio"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuard: only the page itself acts and reads. Each row is a request of a web browser on
// this machine that another web page caused.
func TestGuard(t *testing.T) {
	f := newFixture(t)
	own := f.page.URL
	for _, test := range []struct {
		name, method, path string
		header             map[string]string
		want               int
	}{
		{"the page", "GET", "/", nil, 200},
		{"the page, from a link", "GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"the page, by localhost", "GET", "/", map[string]string{"Host": "localhost:8089"}, 200},
		{"the page, in a frame", "GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a script of it", "GET", "/main.js", map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200},
		{"a script elsewhere", "GET", "/main.js", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"tables, another port", "GET", "/tables", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403},
		{"rebinding", "GET", "/tables", map[string]string{"Host": "evil.example"}, 421},
		{"rebinding, with a port", "GET", "/events", map[string]string{"Host": "evil.example:8089"}, 421},
		{"rebinding, like an address", "GET", "/tables", map[string]string{"Host": "127.0.0.1.evil.example"}, 421},
		{"rebinding, an action", "POST", "/do/rotate-key", map[string]string{"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 421},
		{"its own action", "POST", "/do/rotate-key", map[string]string{"Origin": own, "Sec-Fetch-Site": "same-origin"}, 200},
		{"a form elsewhere", "POST", "/do/rotate-key", map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		{"a form, an old browser", "POST", "/do/rotate-key", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a sandboxed frame", "POST", "/do/rotate-key", map[string]string{"Origin": "null"}, 403},
		{"another port", "POST", "/do/rotate-key", map[string]string{"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, 403},
		{"a terminal's action, elsewhere", "POST", "/sh/login", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a terminal's action, rebinding", "POST", "/sh/login", map[string]string{"Host": "evil.example"}, 421},
		{"no other method", "DELETE", "/tables", nil, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := f.send(test.method, test.path, "", test.header)
			_ = response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
			if csp := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; ") {
				t.Errorf("the policy is %q", csp)
			}
		})
	}
	rotated := 0
	for _, call := range f.admin {
		if strings.HasPrefix(call, "/wxgate/keys/rotate") {
			rotated++
		}
	}
	if rotated != 1 {
		t.Errorf("the keys were rotated %d times, want once", rotated)
	}
}

// TestEvents: a page that opens gets the history and then the state.
func TestEvents(t *testing.T) {
	f := newFixture(t)
	f.do("login", alice(command{}))
	response := f.send(http.MethodGet, "/events", "", nil)
	defer func() { _ = response.Body.Close() }()
	var names []string
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			names = append(names, name)
			if name == "state" {
				break
			}
		}
	}
	if got, want := strings.Join(names, " "), "action message message message message action state"; got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
}

// TestSlowPage: a page that does not read is disconnected, and stops nothing.
func TestSlowPage(t *testing.T) {
	c := newRecorder()
	_, next, leave := c.subscribe()
	defer leave()
	for range maxQueued + 1 {
		c.message(message{Action: 1})
	}
	n := 0
	for range next {
		n++
	}
	if n != maxQueued {
		t.Errorf("%d events, want %d", n, maxQueued)
	}
	if history, _, leave := c.subscribe(); len(history) != maxHistory {
		t.Errorf("the history has %d events, want %d", len(history), maxHistory)
	} else {
		leave()
	}
	c.close()
	if _, next, _ := c.subscribe(); next != nil {
		if _, open := <-next; open {
			t.Error("a closed recorder sends events")
		}
	}
}

const (
	maxPageBytes   = 200 << 10
	maxModuleLines = 300
)

// TestPageFiles: the page is small, of small modules, and names no other host.
func TestPageFiles(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i)https?://[^\s"')]+|url\(|@import|//[a-z0-9-]+\.[a-z]{2,}/`)
	size := 0
	files, err := fs.ReadDir(web, "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(web, "web/"+file.Name())
		if err != nil {
			t.Fatal(err)
		}
		size += len(text)
		if n := strings.Count(string(text), "\n"); n > maxModuleLines {
			t.Errorf("%s has %d lines, at most %d are allowed", file.Name(), n, maxModuleLines)
		}
		for _, address := range elsewhere.FindAllString(string(text), -1) {
			if address != "http://www.w3.org/2000/svg" { // a name, which nothing loads
				t.Errorf("%s names %s", file.Name(), address)
			}
		}
	}
	if size > maxPageBytes {
		t.Errorf("the page has %d bytes, at most %d are allowed", size, maxPageBytes)
	}
}

// TestLanguages: both languages have the same texts, and the page uses no other.
func TestLanguages(t *testing.T) {
	key := regexp.MustCompile(`(?m)(?:^|,|\{)\s*'?([a-zA-Z0-9_.-]+(?: [^':\n{]*)?)'?: '`)
	keys := map[string]map[string]bool{}
	for _, language := range []string{"en", "zh"} {
		text, err := fs.ReadFile(web, "web/"+language+".js")
		if err != nil {
			t.Fatal(err)
		}
		keys[language] = map[string]bool{}
		for _, match := range key.FindAllStringSubmatch(string(text), -1) {
			keys[language][match[1]] = true
		}
	}
	if len(keys["en"]) < 100 {
		t.Fatalf("%d texts were found", len(keys["en"]))
	}
	for name := range keys["en"] {
		if !keys["zh"][name] {
			t.Errorf("no Chinese text for %s", name)
		}
	}
	for name := range keys["zh"] {
		if !keys["en"][name] {
			t.Errorf("no English text for %s", name)
		}
	}
	page, err := fs.ReadFile(web, "web/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`data-t(?:-label)?="([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		if !keys["en"][match[1]] {
			t.Errorf("the page uses the text %s, which is missing", match[1])
		}
	}
}

// TestQuoted: a shell reads a quoted word as it was.
func TestQuoted(t *testing.T) {
	for _, word := range []string{"", "a b", `it's`, `$HOME "x" \n`, "'", "{\"a\":\"b\"}"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q (%v)", word, out, err)
		}
	}
}

// slowPage does not read until the test lets it.
type slowPage struct {
	*httptest.ResponseRecorder
	reads, read chan struct{}
}

func (s *slowPage) Write(b []byte) (int, error) {
	select {
	case s.reads <- struct{}{}:
	default:
	}
	<-s.read
	return s.ResponseRecorder.Write(b)
}

// TestPageBehind: a page that is behind gets each arrow, and the newest state only.
func TestPageBehind(t *testing.T) {
	p := New(Config{})
	page := &slowPage{httptest.NewRecorder(), make(chan struct{}, 1), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serveEvents(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
	}()
	<-page.reads // the state at first
	for _, state := range []string{"first", "second", "third"} {
		p.recorder.state(state)
		p.recorder.message(message{Line: state})
	}
	p.Close()
	close(page.read)
	<-done
	said := page.Body.String()
	if !strings.HasPrefix(said, "retry: ") || strings.Count(said, "event: message\n") != 3 || strings.Count(said, "event: state\n") != 2 || !strings.HasSuffix(said, "data: \"third\"\n\n") {
		t.Errorf("the page got\n%s", said)
	}
}

// TestTextsOfErrors: the page explains codes and errors that exist.
func TestTextsOfErrors(t *testing.T) {
	reference, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(web, "web/en.js")
	if err != nil {
		t.Fatal(err)
	}
	errs := []error{errNoAccount, errStreamOpen, errNoLogin, errNoQuestion, errNoCode, errNoAsker, errBadPath, errors.New("no response"), errors.New("another action is running")}
	for _, match := range regexp.MustCompile(`'(code|error)\.([^']+)'`).FindAllStringSubmatch(string(text), -1) {
		switch kind, name := match[1], match[2]; {
		case kind == "code" && name != "upstream_down" && !strings.Contains(string(reference), `<a id="code-`+name+`">`):
			t.Errorf("docs/api.md has no code %s", name)
		case kind == "error" && !slices.ContainsFunc(errs, func(err error) bool { return err.Error() == name }):
			t.Errorf("nothing fails with %q", name)
		}
	}
}
